"""The handler of routes whose feature this version does not have."""

from hoplon.api.describe import Handler, described
from hoplon.api.envelope import Answer
from hoplon.api.request import ApiRequest
from hoplon.errors import HoplonError


def unavailable(feature: str) -> Handler:
    """A handler that says so. It never does half of the work."""

    @described("Not available in this version.")
    def handler(request: ApiRequest) -> Answer:
        raise HoplonError("feature.unavailable", f"not available in this version (feature `{feature}`)")

    return handler

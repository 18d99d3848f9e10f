"""What a handler says about itself: the query it takes, the form of its body and of its result.

The dispatcher reads requests by it and our OpenAPI document is made of it, so the two cannot differ.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from hoplon.api.envelope import Answer
from hoplon.api.query import Parameter
from hoplon.api.request import ApiRequest

Handler = Callable[[ApiRequest], Answer] | Callable[[ApiRequest], Awaitable[Answer]]
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Description:
    """One handler, as the dispatcher and the OpenAPI document see it.

    `body` is a model or a type of models; `body_media_types` other than JSON hand the content over unread. `result` is
    a TypedDict or a type of them; None: the answer has no member `result`. `content_types` are what is answered
    outside of the envelope. `may_be_empty`: 204 without a body is an answer too. `is_versioned`: the answer has the
    zone's version as its ETag, and a write takes If-Match.
    """

    summary: str
    query: Sequence[Parameter] = ()
    body: Any = None
    is_body_required: bool = True
    body_media_types: Sequence[str] = ()
    result: Any = None
    is_paged: bool = False
    has_envelope: bool = True
    content_types: Sequence[str] = ()
    may_be_empty: bool = False
    is_versioned: bool = False
    status: int = 200


def described(summary: str, **more: Any) -> Callable[[Function], Function]:
    """Attach a `Description` of these members to a handler."""
    description = Description(summary, **more)

    def attach(function: Function) -> Function:
        function.__dict__["description"] = description
        return function

    return attach


def description_of(handler: Handler) -> Description:
    """What a handler was described as."""
    found: Description = handler.__dict__["description"]
    return found

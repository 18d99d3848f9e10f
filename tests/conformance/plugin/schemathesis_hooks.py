"""Hooks of Schemathesis, loaded in its environment: texts as bodies, and its own token left alone.

`HOPLON_TOKEN_ID` is the id of the token that it sends: who revokes that one learns nothing more.
"""

import os
from typing import Any

import schemathesis  # type: ignore[import-not-found] # it is in an environment of its own

OWN_TOKEN = os.environ["HOPLON_TOKEN_ID"]


@schemathesis.serializer("application/toml", "application/yaml", "text/csv", "text/plain")  # type: ignore[untyped-decorator]
def as_text(ctx: Any, value: Any) -> Any:
    """The text itself; what is none, in its own notation."""
    return value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")


@schemathesis.hook  # type: ignore[untyped-decorator]
def filter_case(ctx: Any, case: Any) -> bool:
    """Everything but changes of the own token."""
    return case.method == "GET" or (case.path_parameters or {}).get("token_id") != OWN_TOKEN

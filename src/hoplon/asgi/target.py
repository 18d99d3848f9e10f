"""The target of a request, between ASGI and the engine: takes a scope, gives path and query as they were received; and
gives the application the path that was judged."""

import re
from urllib.parse import quote, unquote

from hoplon.asgi.settings import Scope

_OPAQUE = re.compile(r"(%2[Ff]|%5[Cc])")
"""An encoded slash stays inside of its segment (the engine reads it so, and so must the application)."""
_PATH_SAFE = "/:@!$&'()*+,;=~-._"


def raw_target(scope: Scope) -> bytes:
    """Path and query as received; where the server kept only the decoded path, that one encoded again."""
    raw = scope.get("raw_path")
    path: bytes = raw.partition(b"?")[0] if raw else quote(scope["path"], safe=_PATH_SAFE).encode()
    query: bytes = scope.get("query_string", b"")
    return path + b"?" + query if query else path


def judged_scope(scope: Scope, raw: bytes, judged: str | None) -> Scope:
    """The scope whose path is the one that was judged: `judged`, or what was received where that is the same.

    The query stays as it was received: nothing in it is normalised.
    """
    if judged is not None:
        path = judged.partition("?")[0]
    else:
        path = raw.partition(b"?")[0].decode(errors="surrogateescape")
        if _OPAQUE.search(path) is None:
            return scope
    return {**scope, "path": _decoded(path), "raw_path": path.encode(errors="surrogateescape")}


def _decoded(path: str) -> str:
    parts = _OPAQUE.split(path)
    return "".join(part.upper() if index % 2 else unquote(part) for index, part in enumerate(parts))


def body_bytes(scope: Scope) -> int | None:
    """How long the request's body is; None: its framing does not say."""
    length, is_chunked = None, False
    for name, value in scope["headers"]:
        if name == b"content-length":
            length = value
        elif name == b"transfer-encoding":
            is_chunked = True
    if length is not None:
        return int(length) if length.isdigit() and len(length) < 19 else None
    return None if is_chunked or scope.get("http_version", "1.1") not in ("1.0", "1.1") else 0

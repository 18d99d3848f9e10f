"""Path templates of operations: what is well-formed, the one canonical form, and the identity of an operation.

The canonical form is what the engine compares with: RFC 3986 normalised literals (unreserved characters decoded,
other escapes upper case), variables renamed `{var1}`, `{var2}` … in order.
"""

import re
from uuid import UUID, uuid5

from hoplon.spelling import did_you_mean

OPERATION_NAMESPACE = UUID("6f0e7a52-5f0c-5d5e-9f66-0c9b0d6a3c11")
"""The namespace of operation ids. It never changes: ids are stable across installations."""

MAX_SEGMENTS = 64
_VARIABLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.-]*)\}")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
_TOKEN = re.compile(r"[A-Z_-]{1,32}")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_ESCAPED_DOT = re.compile(r"%2[Ee]")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PLAIN = re.compile(rf"(?:/(?:{_VARIABLE.pattern}|(?!\.)[A-Za-z0-9._~!$&'()*+,;=:@-]*))+")
"""Nearly every path: canonical as it stands. A shortcut only; what does not fit is looked at segment by segment."""
_SEGMENT = frozenset(_UNRESERVED | set(b"!$&'()*+,;=:@%"))


def method_fault(method: str) -> tuple[str, str] | None:
    """(what is wrong, hint) with a method, None when it is fine."""
    if method == "CONNECT":
        return "CONNECT is refused in any mode", "leave this operation out"
    if _TOKEN.fullmatch(method):
        return None
    if method.upper() in _METHODS:
        return f"`{method}`: methods are upper case", f"write `{method.upper()}`"
    return f"`{method}` is no method", did_you_mean(method, _METHODS)


def path_fault(path: str) -> tuple[str, str] | None:
    """(what is wrong, hint) with a path template, None when it is fine."""
    if not path.startswith("/"):
        return f"`{path}` does not begin with `/`", f"write `/{path}`"
    if len(path) > 4096:
        return "a path is at most 4096 characters", "shorten it"
    if path.count("/") > MAX_SEGMENTS:
        return f"a path has at most {MAX_SEGMENTS} segments", "no request with more matches any operation"
    if _PLAIN.fullmatch(path):
        return None
    if "?" in path or "#" in path:
        return f"`{path}`: an operation is known by its path alone", "leave the query string out"
    return next((fault for segment in path[1:].split("/") if (fault := _segment_fault(segment))), None)


def is_variable(segment: str) -> bool:
    """Whether a segment is a variable, `{name}`."""
    return _VARIABLE.fullmatch(segment) is not None


def without_dot_segments(path: str) -> str:
    """RFC 3986 §5.2.4, as the engine does it: `/a/./b/../c` is `/a/c`, also where the dots are escaped."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for number, segment in enumerate(segments, start=1):
        plain = _ESCAPED_DOT.sub(".", segment)
        if plain not in (".", ".."):
            kept.append(segment)
            continue
        if plain == ".." and kept:
            kept.pop()
        if number == len(segments):
            kept.append("")
    return "/" + "/".join(kept)


def canonical_path(path: str) -> str:
    """The path as the engine compares it, variables still under their own names. The path must have no fault."""
    if _PLAIN.fullmatch(path):
        return path
    return "/".join(segment if _VARIABLE.fullmatch(segment) else _normalise(segment) for segment in path.split("/"))


def engine_path(path: str) -> str:
    """The canonical path with its variables renamed `{var1}`, `{var2}` … in order."""
    return _renamed(canonical_path(path), "/", "var")


def engine_host(host: str) -> str:
    """The host with its variable labels renamed `{hostVar1}` …"""
    return _renamed(host, ".", "hostVar")


def operation_id(method: str, host: str, path: str) -> UUID:
    """The operation's id: the same method, host and template always give the same one."""
    return uuid5(OPERATION_NAMESPACE, f"{method}\n{engine_host(host)}\n{engine_path(path)}")


def _renamed(text: str, separator: str, word: str) -> str:
    pieces = text.split(separator)
    variables = [index for index, piece in enumerate(pieces) if _VARIABLE.fullmatch(piece)]
    for number, index in enumerate(variables, start=1):
        pieces[index] = f"{{{word}{number}}}"
    return separator.join(pieces)


def _segment_fault(segment: str) -> tuple[str, str] | None:
    if _VARIABLE.fullmatch(segment):
        return None
    if "{" in segment or "}" in segment:
        return (
            f"`{segment}`: a variable is a whole segment `{{name}}`",
            "make it one variable, or literal",
        )
    if "\\" in segment or any(ord(character) < 0x20 or ord(character) == 0x7F for character in segment):
        return f"{segment!r}: a path with `\\` or control characters is refused in any mode", "remove it"
    if any(0xD800 <= ord(character) <= 0xDFFF for character in segment):
        return f"{segment!r}: half of a surrogate pair is no character", "remove it"
    if re.search(r"%(?![0-9A-Fa-f]{2})", segment):
        return f"`{segment}`: `%` must be followed by two hexadecimal digits", "write a percent sign as `%25`"
    if "%00" in segment:
        return f"`{segment}`: `%00` is refused in any mode", "remove it"
    if re.match(r"\.{1,2};", _normalise(segment)):
        return f"`{segment}`: a dot segment with a parameter is refused in any mode", "remove it"
    if _normalise(segment) in (".", ".."):
        return f"`{segment}`: requests are matched after dot segments are removed", "write the path without it"
    return None


def _normalise(segment: str) -> str:
    """RFC 3986 §6.2.2: escapes of unreserved characters decoded, others upper case; what is not allowed is escaped."""
    unescaped = _ESCAPE.sub(_decode_unreserved, segment)
    return "".join(chr(byte) if byte in _SEGMENT else f"%{byte:02X}" for byte in unescaped.encode())


def _decode_unreserved(match: re.Match[str]) -> str:
    byte = int(match[1], 16)
    return chr(byte) if byte in _UNRESERVED else f"%{match[1].upper()}"

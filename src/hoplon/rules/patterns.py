"""What may stand on the right of `matches` and `wildcard`."""

MAX_STARS = 16
"""So many `*` may stand in one wildcard."""

Fault = tuple[str, str | None]
"""A sentence and a hint."""


def regex_fault(pattern: str) -> Fault | None:
    """Why the engine would refuse a regular expression, None when it takes it."""
    from hoplon import _native

    fault = _native.check_regex(pattern)
    return (f"this {fault}", None) if fault else None


def wildcard_fault(pattern: bytes) -> Fault | None:
    """Why a wildcard is refused. `\\*` and `\\\\` are its escapes; `**` is invalid (Cloudflare's page "Operators")."""
    if not is_utf8(pattern):
        return "a wildcard is UTF-8 text", "bytes are compared with `contains` or `matches`"
    stars, was_star, rest = 0, False, iter(pattern.decode())
    for character in rest:
        if character == "\\" and next(rest, "") not in ("*", "\\"):
            return "in a wildcard a backslash stands before `*` or another one", r'r"…" keeps them: r"a\*b"'
        if character == "*" and was_star:
            return "`**` in a wildcard is no more than `*`", "write one `*`"
        was_star = character == "*"
        stars += was_star
    return (f"a wildcard has at most {MAX_STARS} `*`", "use `matches`") if stars > MAX_STARS else None


def is_utf8(value: bytes) -> bool:
    """Whether bytes are text."""
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True

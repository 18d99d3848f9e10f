"""Host names as lists hold them: RFC 1123 names in lower case, other scripts in their ASCII form."""

import re

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
MAX_HOSTNAME = 253


def hostname_fault(name: str) -> str | None:
    """What is wrong with a lower-case host name without wildcard, None when it is fine."""
    if not name.isascii():
        return "other scripts stand in their ASCII form, xn--…"
    if len(name) > MAX_HOSTNAME:
        return f"a host name has at most {MAX_HOSTNAME} characters"
    if "*" in name:
        return "a wildcard is the whole first label, `*.`"
    if not all(_LABEL.fullmatch(label) for label in name.split(".")):
        return "a host name is labels of a-z, 0-9 and `-`, joined by `.`"
    return None

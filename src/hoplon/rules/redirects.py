"""Redirects as lists hold them: from which URL to which, with which status; every setting written out."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from hoplon.errors import Problem
from hoplon.rules.hostnames import hostname_fault
from hoplon.spelling import did_you_mean

STATUS_CODES = (301, 302, 307, 308)
MAX_URL = 2_000
_FLAGS = ("include_subdomains", "subpath_matching", "preserve_query_string", "preserve_path_suffix")
_MEMBERS = ("source_url", "target_url", "status_code", *_FLAGS)


def read_redirect(given: Any) -> dict[str, Any] | Problem:
    """A redirect in its canonical form, or the first thing wrong with it, its path relative to the redirect.

    The source keeps its scheme only if it was given: without one it means both. Defaults are Cloudflare's: 301, and
    no flag set.
    """
    if not isinstance(given, Mapping):
        return Problem("", "a redirect is an object with `source_url` and `target_url`")
    problem = next(_problems(given), None)
    if problem is not None:
        return problem
    flags = {name: given.get(name) or False for name in _FLAGS}
    return {
        "source_url": _canonical_source(given["source_url"]),
        "target_url": given["target_url"],
        "status_code": given.get("status_code") or STATUS_CODES[0],
        **flags,
    }


def _problems(given: Mapping[str, Any]) -> Iterator[Problem]:
    yield from (
        Problem(f".{name}", "unknown member", did_you_mean(name, _MEMBERS)) for name in given if name not in _MEMBERS
    )
    for name in ("source_url", "target_url"):
        if fault := _url_fault(given.get(name)):
            yield Problem(f".{name}", fault)
    yield from (
        Problem(f".{name}", "is true or false") for name in _FLAGS if not isinstance(given.get(name), bool | None)
    )
    if not _is_status(given.get("status_code")):
        yield Problem(".status_code", f"is one of {', '.join(map(str, STATUS_CODES))}")
    yield from _source_problems(given["source_url"])
    yield from _target_problems(given["target_url"])


def _is_status(given: Any) -> bool:
    """`True == 1` and `301.0 == 301` in Python, not in JSON."""
    return given is None or (type(given) is int and given in STATUS_CODES)


def _url_fault(url: Any) -> str | None:
    if not isinstance(url, str):
        return "is a URL as text"
    if len(url) > MAX_URL:
        return f"a URL has at most {MAX_URL} characters"
    if not url.isascii() or any(character <= " " or character == "\x7f" for character in url):
        return "a URL is ASCII without blanks: escape the rest"
    return None


def _source_problems(url: str) -> Iterator[Problem]:
    parts = _split(url if "://" in url else f"//{url}")
    if parts is None or parts.scheme not in ("", "http", "https"):
        yield Problem(".source_url", f"`{url}` is no URL", "example.com/old or https://example.com/old")
    elif parts.query or parts.fragment or parts.username is not None or "?" in url or "#" in url:
        yield Problem(".source_url", "a source has neither query, fragment nor user", "leave them out")
    elif parts.port is not None:
        yield Problem(".source_url", "a source has no port", "leave it out")
    elif fault := hostname_fault(parts.hostname or ""):
        yield Problem(".source_url", fault)


def _target_problems(url: str) -> Iterator[Problem]:
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        yield Problem(".target_url", f"`{url}` is no http:// or https:// URL", "https://example.com/new")
    elif parts.username is not None:
        yield Problem(".target_url", "a URL with a user name misleads people", "leave it out")


def _split(url: str) -> SplitResult | None:
    """The pieces of a URL, None when it is none."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _canonical_source(url: str) -> str:
    """Scheme and host in lower case, a path always: `Example.com` and `example.com/` are the same source."""
    parts = urlsplit(url if "://" in url else f"//{url}")
    scheme = f"{parts.scheme}://" if parts.scheme else ""
    return f"{scheme}{parts.netloc.lower()}{parts.path or '/'}"

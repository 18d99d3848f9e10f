"""Requests that rules are tried with, and what each field says about them: computed here once more, for the oracle."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote_to_bytes

Fields = dict[str, list[bytes]]


@dataclass(frozen=True, slots=True)
class Request:
    """A request to an absolute URL, and the response to it if there is one."""

    url: str = "https://www.example.com/"
    method: str = "GET"
    headers: tuple[tuple[str, bytes], ...] = ()
    body: bytes = b""
    client: str = "192.0.2.1"
    status: int | None = None


def request(
    url: str = "/", method: str = "GET", body: bytes = b"", client: str = "192.0.2.1", **headers: str
) -> Request:
    """A request as tests write it: a path alone is one of https://www.example.com, `_` in header names is `-`."""
    whole = url if "://" in url else f"https://www.example.com{url}"
    fields = tuple((name.replace("_", "-"), value.encode()) for name, value in headers.items())
    return Request(whole, method, fields, body, client)


def facts_of(sent: Request) -> dict[str, Any]:
    """Every fact of a request that expressions in tests ask for. What it does not have is not in it."""
    scheme, _, rest = sent.url.partition("://")
    host, slash, target = rest.partition("/")
    path, mark, query = (slash + target).partition("?")
    path = path or "/"
    uri = path + mark + query
    fields = _grouped((name.lower(), value) for name, value in sent.headers)  # each header's values stand together
    arguments = _pairs(query)
    facts = {
        "ssl": scheme == "https",
        "ip.src": ip_address(sent.client),
        "http.host": host.lower().encode(),
        "http.request.method": sent.method.encode(),
        "http.request.full_uri": f"{scheme}://{host.lower()}{uri}".encode(),
        "http.request.uri": uri.encode(),
        "http.request.uri.path": path.encode(),
        "http.request.uri.query": query.encode(),
        "http.request.uri.args": _grouped(arguments),
        "http.request.uri.args.names": [name.encode() for name, _ in arguments],
        "http.request.uri.args.values": [value for _, value in arguments],
        "http.request.headers": fields,
        "http.request.headers.names": [name.encode() for name, values in fields.items() for _ in values],
        "http.request.headers.values": [value for values in fields.values() for value in values],
        "http.request.cookies": _cookies(fields.get("cookie", [])),
        "http.cookie": b"; ".join(fields.get("cookie", [])),
        "http.user_agent": fields.get("user-agent", [b""])[0],
        "http.referer": fields.get("referer", [b""])[0],
        "http.x_forwarded_for": fields.get("x-forwarded-for", [b""])[0],
        "http.request.body.raw": sent.body,
        "http.request.body.size": len(sent.body),
    }
    return facts | ({} if sent.status is None else {"http.response.code": sent.status})


def _pairs(query: str) -> list[tuple[str, bytes]]:
    pairs = (piece.partition("=") for piece in query.split("&") if piece)
    return [(name, value.encode()) for name, _, value in pairs]


def _cookies(lines: list[bytes]) -> Fields:
    pairs = (piece.strip().partition(b"=") for line in lines for piece in line.split(b";"))
    return _grouped((unquote_to_bytes(name).decode(), value) for name, equals, value in pairs if equals)


def _grouped(pairs: Iterable[tuple[str, bytes]]) -> Fields:
    grouped: Fields = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return grouped

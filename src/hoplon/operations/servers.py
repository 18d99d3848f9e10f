"""OpenAPI's `servers` to hosts and base paths. One rule for each variable of a server's URL:

1. it has an `enum`: one server for each of its values
2. it is a whole label of the host, with another label behind it (`{tenant}.example.com`): it stays a variable
3. otherwise: its `default`

Scheme and port are dropped (an operation is known by its host's name), and a URL without a host is for any host.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from urllib.parse import urlsplit

from hoplon.operations.document import Node
from hoplon.policy.zone import is_host_pattern

ANY_HOST = "*"
MAX_SERVERS = 100
MAX_COMBINATIONS = 100
_VARIABLE = re.compile(r"\{([^{}]+)\}")
_AUTHORITY_PORT = re.compile(r":[0-9]*$")


@dataclass(frozen=True, slots=True, order=True)
class Server:
    """Where operations are found: a host pattern or `*`, and the path before theirs, without a slash at its end."""

    host: str
    base_path: str


@dataclass(frozen=True, slots=True)
class Unusable:
    """A server that gives no host: its URL, and why."""

    url: str
    reason: str


def read_servers(servers: Node | None) -> list[Server | Unusable]:
    """Each server that a `servers` list means, each once; without any, any host and no base path."""
    if not isinstance(servers, list) or not servers:
        return [Server(ANY_HOST, "")]
    read = [server for entry in servers[:MAX_SERVERS] for server in _read_server(entry)]
    if len(servers) > MAX_SERVERS:
        read.append(Unusable("", f"a list of servers has at most {MAX_SERVERS}; the first were taken"))
    return list(dict.fromkeys(read))


def _read_server(entry: Node) -> Iterator[Server | Unusable]:
    url = entry.get("url") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(url, str):
        yield Unusable("", "it has no `url`")
        return
    variables = entry.get("variables")
    choices = [_choices(url, name, variables) for name in dict.fromkeys(_VARIABLE.findall(url))]
    missing = next((name for name, values in choices if not values), None)
    if missing is not None:
        yield Unusable(url, f"its variable `{missing}` has no default")
        return
    for number, values in enumerate(product(*(values for _, values in choices))):
        if number == MAX_COMBINATIONS:
            yield Unusable(url, f"its variables have more than {MAX_COMBINATIONS} combinations; the first were taken")
            return
        yield _parse(_substitute(url, dict(zip((name for name, _ in choices), values, strict=True))))


def _choices(url: str, name: str, variables: Node | None) -> tuple[str, list[str]]:
    """The texts that take a variable's place; none when nothing says what it is."""
    described = variables.get(name) if isinstance(variables, dict) else None
    described = described if isinstance(described, dict) else {}
    values = described.get("enum")
    if isinstance(values, list) and values:
        return name, [value for value in values if isinstance(value, str)]
    if _is_host_label(url, name):
        return name, ["{" + name + "}"]
    default = described.get("default")
    return name, [default] if isinstance(default, str) else []


def _is_host_label(url: str, name: str) -> bool:
    host = url.partition("//")[2].partition("/")[0]
    return f".{{{name}}}." in f".{host}"


def _substitute(url: str, values: dict[str, str]) -> str:
    return _VARIABLE.sub(lambda match: values[match[1]], url)


def _parse(url: str) -> Server | Unusable:
    parts = _split(url)
    if isinstance(parts, Unusable):
        return parts
    scheme, authority, path = parts
    base_path = "" if path in ("", "/") else "/" + path.strip("/")
    if not authority:
        return Server(ANY_HOST, base_path)
    if scheme not in ("", "http", "https", "ws", "wss"):
        return Unusable(url, f"`{scheme}` is not HTTP")
    host = _named(_AUTHORITY_PORT.sub("", authority.rpartition("@")[2]).lower())
    if not is_host_pattern(host):
        return Unusable(url, f"`{host}` is no host name")
    return Server(host, base_path)


def _split(url: str) -> tuple[str, str, str] | Unusable:
    try:
        parts = urlsplit(url.strip())
    except ValueError as error:
        return Unusable(url, f"it is no URL: {error}")
    return parts.scheme, parts.netloc, parts.path


def _named(host: str) -> str:
    """Labels that are variables under names that a host pattern takes."""
    labels = host.rstrip(".").split(".")
    variables = [index for index, label in enumerate(labels) if _VARIABLE.fullmatch(label)]
    for number, index in enumerate(variables, start=1):
        labels[index] = f"{{hostVar{number}}}"
    return ".".join(labels)

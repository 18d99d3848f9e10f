"""The upstream and the proxies that stand before it: how each is configured and started, all for the same work.

One worker each, keep-alive on both sides, no access log, loopback. A candidate is a name and a function that starts it.
"""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from bench.bundle import Options, write_state
from bench.machine import LOAD_CORE, PROXY_CORE, Running, free_port, running

TARGET = "/api/v1/items/42?x=1"
HOPLON = "hoplon"
HOPLON_FULL = "hoplon, full"


class Started(NamedTuple):
    """A proxy that listens; `state` is Hoplon's state directory, where it is Hoplon."""

    port: int
    process: Running
    state: Path | None = None


class Candidate(NamedTuple):
    """A proxy to measure."""

    name: str
    start: Callable[[Path, int], AbstractContextManager[Started]]


def answer() -> str:
    """The upstream's answer: JSON of 1,024 bytes with 20 leaves."""
    items = [{"sku": f"SKU-{i:05d}", "name": f"widget number {i}", "price": 9.99 + i} for i in range(6)]
    body = json.dumps({"id": 12345, "items": items, "note": ""})
    return body.replace('"note": ""', f'"note": "{"x" * (1024 - len(body))}"')


_NGINX = """
worker_processes 1; daemon off; pid {folder}/{name}.pid; error_log {folder}/{name}.err;
events {{ worker_connections 20000; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; default_type application/json;
  client_body_temp_path {folder}/{name}.body; proxy_temp_path {folder}/{name}.proxy;
  fastcgi_temp_path {folder}/{name}.f; uwsgi_temp_path {folder}/{name}.u; scgi_temp_path {folder}/{name}.s;
  {upstream}
  server {{ listen 127.0.0.1:{port} backlog=8192; location / {{ {location} }} }}
}}
"""
_NGINX_POOL = "upstream pool {{ server 127.0.0.1:{port}; keepalive 128; keepalive_requests 1000000000; }}"
_NGINX_PROXY = (
    'proxy_pass http://pool; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;'
)


@contextlib.contextmanager
def upstream(folder: Path) -> Iterator[int]:
    """nginx that gives the fixed answer, on the load generator's core; gives its port."""
    with _nginx(folder, "upstream", LOAD_CORE, f"return 200 '{answer()}';", "") as started:
        yield started.port


@contextlib.contextmanager
def _nginx(folder: Path, name: str, core: int, location: str, pool: str) -> Iterator[Started]:
    port = free_port()
    file = folder / f"{name}.conf"
    file.write_text(_NGINX.format(folder=folder, name=name, port=port, upstream=pool, location=location))
    with running(["nginx", "-c", str(file), "-e", str(folder / f"{name}.err")], core, folder, name, port) as process:
        yield Started(port, process)


def nginx(folder: Path, upstream_port: int) -> AbstractContextManager[Started]:
    """nginx as a proxy with one worker."""
    return _nginx(folder, "nginx", PROXY_CORE, _NGINX_PROXY, _NGINX_POOL.format(port=upstream_port))


_HAPROXY = """
global
  nbthread 1
  maxconn 9900
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 60s
  option http-keep-alive
  http-reuse always
frontend front
  bind 127.0.0.1:{port}
  default_backend back
backend back
  server one 127.0.0.1:{upstream_port}
"""


@contextlib.contextmanager
def haproxy(folder: Path, upstream_port: int) -> Iterator[Started]:
    """HAProxy with one thread."""
    port = free_port()
    file = folder / "haproxy.cfg"
    file.write_text(_HAPROXY.format(port=port, upstream_port=upstream_port))
    with running(["haproxy", "-f", str(file), "-db"], PROXY_CORE, folder, "haproxy", port) as process:
        yield Started(port, process)


@contextlib.contextmanager
def envoy(folder: Path, upstream_port: int, filters: Sequence[object] = ()) -> Iterator[Started]:
    """Envoy with one worker, and these HTTP filters before its router."""
    port = free_port()
    file = folder / "envoy.json"
    file.write_text(json.dumps(_envoy_configuration(port, upstream_port, filters)))
    # fmt: off
    command = [str(_envoy_program()), "-c", str(file), "--concurrency", "1", "-l", "error", "--disable-hot-restart"]
    # fmt: on
    with running(command, PROXY_CORE, folder, "envoy", port) as process:
        yield Started(port, process)


def _envoy_program() -> Path:
    environment = Path(__file__).parents[1] / ".cache" / "bench"
    found = next(environment.glob("lib/python3*/site-packages/envoy/_bin/envoy"), None)
    if found is None:
        raise RuntimeError("Envoy is missing; `make bench` installs it into .cache/bench")
    return found


def _envoy_configuration(port: int, upstream_port: int, http_filters: Sequence[object]) -> dict[str, object]:
    types = "type.googleapis.com/envoy.extensions.filters"
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{types}.http.router.v3.Router", "suppress_envoy_headers": True},
    }
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}]
    manager = {
        "@type": f"{types}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "generate_request_id": False,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [*http_filters, router],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    endpoint = {"endpoint": {"address": _envoy_address(upstream_port)}}
    bounds = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests"), 20000)
    cluster = {
        "name": "upstream",
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [bounds]},
        "load_assignment": {"cluster_name": "upstream", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    listener = {"name": "in", "address": _envoy_address(port), "filter_chains": [{"filters": filters}]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _envoy_address(port: int) -> dict[str, object]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


@contextlib.contextmanager
def hoplon_with(folder: Path, upstream_port: int, name: str, options: Options) -> Iterator[Started]:
    """Hoplon with a policy of these options; `name` is its state directory's."""
    port, status = free_port(), free_port()
    state = folder / f"state-{name}"
    config = write_state(state, f"http://127.0.0.1:{upstream_port}", options, port, status)
    command = [sys.executable, "-m", "hoplon.gateway_process", str(config)]
    with running(command, PROXY_CORE, folder, name, port) as process:
        yield Started(port, process, state)


def hoplon(folder: Path, upstream_port: int) -> AbstractContextManager[Started]:
    """Hoplon as a plain proxy: one zone, no operation, no Observations (records and metrics are always written)."""
    return hoplon_with(folder, upstream_port, "hoplon", Options(operations=0, observe_probability=0.0))


def hoplon_full(folder: Path, upstream_port: int) -> AbstractContextManager[Started]:
    """Hoplon with everything it does: matching among 1,000 operations, Observations of 2 % of the requests."""
    return hoplon_with(folder, upstream_port, "hoplon-full", Options(operations=1000, observe_probability=0.02))


CANDIDATES = (
    Candidate("nginx", nginx),
    Candidate("haproxy", haproxy),
    Candidate("envoy", envoy),
    Candidate(HOPLON, hoplon),
    Candidate(HOPLON_FULL, hoplon_full),
)

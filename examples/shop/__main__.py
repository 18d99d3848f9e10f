"""`python -m shop`: serve the shop until it is told to stop; prints its address once it listens."""

import argparse
import socket
import sys

import uvicorn

from shop.app import create_app

# Longer than a proxy in front keeps an idle connection, so that it is the proxy who closes it.
KEEP_ALIVE_SECONDS = 75


def main() -> int:
    options = _parse(sys.argv[1:])
    listener = listen(options.host, options.port)
    host, port = listener.getsockname()[:2]
    config = uvicorn.Config(
        create_app(options.database, options.seed),
        log_level="info" if options.access_log else "warning",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    print(f"shop listens on http://{host}:{port}", flush=True)
    uvicorn.Server(config).run(sockets=[listener])
    return 0


def listen(host: str, port: int) -> socket.socket:
    """A listening socket that says it is TCP: asyncio sets TCP_NODELAY on no other, and answers would wait 40 ms."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(1024)
    return listener


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m shop", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9000, help="0 takes a free one")
    parser.add_argument("--database", default=":memory:", help="a file, made when missing (default: in memory)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same content")
    parser.add_argument("--access-log", action="store_true", help="print one line per request")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

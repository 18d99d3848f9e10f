"""The gateway's process: hands one configuration file to Rust and gives back its exit code.

It imports nothing but the engine, so that the process stays small; `hoplon.service.gateway_start` writes the file.
"""

import signal
import sys


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM or SIGINT. `arguments`: the path of the configuration (JSON)."""
    from hoplon._native import serve

    with open(arguments[0], encoding="utf-8") as file:  # noqa: PTH123  pathlib would cost a megabyte of memory
        configuration = file.read()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    return serve(configuration)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The gateway's process: hands one configuration file to Rust and gives back its exit code.

It imports nothing but the engine, so that the process stays small; `hoplon.service.gateway_start` writes the files. A
gateway that follows a control plane has one Python thread beside Rust (docs/decisions/0009).
"""

import os
import signal
import sys


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM or SIGINT. `arguments`: the path of the configuration (JSON), then that of a `Following`."""
    from hoplon._native import serve

    configuration = _read(arguments[0])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    if len(arguments) > 1:
        from hoplon.delivery.follow import start_following
        from hoplon.delivery.following import Following

        start_following(Following.from_json(_read(arguments[1])))
    return serve(configuration)


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:  # noqa: PTH123  pathlib would cost a megabyte of memory
        return file.read()


if __name__ == "__main__":
    exit_code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)  # Rust has ended in order; a thread that waits for an answer has nothing to end

"""One replay of the API in a process of its own: taken from stdin, answered on stdout.

Judging millions of records takes a core for a while, and a crash must not be one of the API. So the kernel bounds this
process (address space, processor time), and whoever started it kills it when its time is over.
"""

import json
import os
import resource
import sys
from pathlib import Path

from hoplon.errors import HoplonError
from hoplon.service.isolated_replay import ADDRESS_SPACE_BYTES, IsolatedReplay, report_document
from hoplon.service.replay import run_replay
from hoplon.storage.state import StateDirectory

NICE = 10
"""Traffic goes first: the gateway may be on the same machine."""


def main() -> int:
    """Answer the `IsolatedReplay` on stdin; an error is an answer too."""
    wish = IsolatedReplay.from_json(sys.stdin.read())
    _bound(wish.bounds.seconds)
    try:
        state = StateDirectory(Path(wish.state))
        answer = {"report": report_document(run_replay(state, wish.prepared, wish.since, wish.until, wish.bounds))}
    except HoplonError as error:
        answer = {"error": {"code": error.code, "message": error.message, "hint": error.hint}}
    except MemoryError:
        message, hint = "the replay needs more memory than it may use", "replay a shorter period: --since 1h"
        answer = {"error": {"code": "replay.limit", "message": message, "hint": hint}}
    json.dump(answer, sys.stdout)
    return 0


def _bound(seconds: float) -> None:
    os.nice(NICE)
    cores = os.cpu_count() or 1
    processor_seconds = int(seconds + 1) * (cores + 1)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (processor_seconds, processor_seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    sys.exit(main())

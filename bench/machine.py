"""What the machine says about processes: where they run, what they cost, when they listen. Knows no proxy."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

LOAD_CORE = 0
PROXY_CORE = 1
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Running(NamedTuple):
    """A process group under measurement; `pid` is the process that was started."""

    pid: int
    log: Path


@contextlib.contextmanager
def running(command: Sequence[str], core: int, folder: Path, name: str, port: int) -> Iterator[Running]:
    """Starts `command` on one core, waits until `port` accepts, and ends it with everything it started.

    Raises RuntimeError with the end of its output when it does not listen within 20 s.
    """
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_listening(process, port, log)
        yield Running(process.pid, log)
    finally:
        _end(process)


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{log.stem} does not listen on port {port}: {log.read_text(errors='replace')[-2000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in task.read_text().split():
                found += family(int(child))
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time that a process and its descendants have used."""
    return sum(_ticks(Path(f"/proc/{member}/stat")) for member in family(pid)) / _TICKS_PER_SECOND


def _ticks(stat: Path) -> int:
    fields = stat.read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def core_busy_seconds(core: int) -> float:
    """How long a core has not been idle since boot, whoever used it (time stolen by the host included)."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _iowait, irq, softirq, steal = (int(field) for field in fields[:8])
            return (user + nice + system + irq + softirq + steal) / _TICKS_PER_SECOND
    raise RuntimeError(f"this machine has no core {core}; the benchmark needs two")


def resident_megabytes(pid: int) -> float:
    """Resident memory of a process and its descendants, in MiB."""
    return sum(_resident_kilobytes(member) for member in family(pid)) / 1024


def _resident_kilobytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def description() -> dict[str, str]:
    """The machine in words, for the published table."""
    model = next((line.split(":", 1)[1].strip() for line in _cpu_lines() if line.startswith("model name")), "unknown")
    return {"cpu": model, "cores": str(os.cpu_count()), "kernel": os.uname().release}


def _cpu_lines() -> list[str]:
    return Path("/proc/cpuinfo").read_text().splitlines()

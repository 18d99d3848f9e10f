"""The wall clock jumps, for gateway and worker alike: nothing is lost, nothing is deleted, timeouts do not notice.

A library loaded before libc's moves what `clock_gettime(CLOCK_REALTIME)` gives by the seconds in a file; files' own
times, which the kernel writes, stay. Where there is no C compiler, the parts' own tests with a clock handed in must do.
"""

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from support.installation import Installation, await_true, rows, running
from support.upstream import Upstream

DAY_SECONDS = 86_400

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static int (*libc_clock)(clockid_t, struct timespec *);
__attribute__((constructor)) static void find(void) { libc_clock = dlsym(RTLD_NEXT, "clock_gettime"); }
static long jump(void) {
    char text[32] = "0";
    int file = open(getenv("CLOCK_JUMP_FILE"), O_RDONLY | O_CLOEXEC);
    if (file >= 0) { ssize_t n = read(file, text, sizeof text - 1); text[n > 0 ? n : 0] = 0; close(file); }
    return atol(text);
}
int clock_gettime(clockid_t id, struct timespec *now) {
    if (!libc_clock) find();
    int result = libc_clock(id, now);
    if (id == CLOCK_REALTIME) now->tv_sec += jump();
    return result;
}
"""


@pytest.fixture
def shim(tmp_path: Path) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler: the clock of another process cannot be moved here")
    source, library = tmp_path / "jump.c", tmp_path / "jump.so"
    source.write_text(SHIM)
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


def move(clock: Path, seconds: int) -> None:
    """Set the clock; replaced whole, since it is read at every moment."""
    new = clock.with_suffix(".new")
    new.write_text(str(seconds))
    new.replace(clock)


def test_the_clock_jumps_and_nothing_is_lost_or_deleted(shim: Path, tmp_path: Path, api: Upstream) -> None:
    clock = tmp_path / "clock"
    move(clock, 0)
    environment = {
        "LD_PRELOAD": str(shim),
        "CLOCK_JUMP_FILE": str(clock),
        "HOPLON_RECORDS_ROTATE_SECONDS": "1",
        "HOPLON_RECORDS_FLUSH_SECONDS": "0.2",
        "HOPLON_RECORDS_RETENTION_SECONDS": str(7 * DAY_SECONDS),
    }
    with running(tmp_path / "state", "--upstream", api.url, **environment) as up:
        ids = {}
        for name, seconds in [("today", 0), ("in 30 days", 30 * DAY_SECONDS), ("yesterday", -DAY_SECONDS), ("back", 0)]:
            move(clock, seconds)
            began = time.monotonic()
            ids[name] = [traffic(up) for _ in range(50)]
            assert time.monotonic() - began < 5.0, "no request waits for the clock"
            up.record(ids[name][-1])
            time.sleep(1.0)
        segments = up.state / "records" / "sealed"
        await_true(lambda: len(list(segments.rglob("records-*.parquet"))) >= 3, "the worker seals them", 10.0)
        assert up.metric("hoplon_records_retired_bytes_total", reason="age") == 0
        table = rows(up.state, "SELECT id, epoch(time) AS at FROM records")
        stored = {row["id"]: row["at"] for row in table}
        assert len(table) == len(stored) == 200
        today = time.time()
        days = {name: {round((stored[one] - today) / DAY_SECONDS) for one in called} for name, called in ids.items()}
        assert days == {"today": {0}, "in 30 days": {30}, "yesterday": {-1}, "back": {0}}
        assert up.readiness() == {"ready": True, "reasons": [], "alerts": {}}


def traffic(up: Installation) -> str:
    answer = up.get("/tick")
    assert answer.status == 200
    return answer.id

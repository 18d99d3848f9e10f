"""The log of the API: JSON lines, no token, and no end of the disk."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hoplon.api.exchange import Exchange
from hoplon.api.log import Log

EXCHANGE = Exchange("1", "GET", "/a/{id}", "/a/7", 200, 0.1234567, "127.0.0.1", "somebody")


def test_an_exchange_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    Log().exchange(EXCHANGE)
    line = json.loads(capsys.readouterr().out)
    assert (line["level"], line["part"], line["message"], line["path"]) == ("info", "api", "request", "/a/7")
    assert (line["seconds"], line["caller"]) == (0.123457, "somebody")


def test_an_error_says_where_it_happened(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        _ = 1 / 0
    Log().failure("1", caught.value)
    line = json.loads(capsys.readouterr().out)
    assert line["message"] == "ZeroDivisionError: division by zero"
    assert "test_log.py" in line["places"][-1]


def test_what_a_library_says_is_a_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    Log().handle(
        logging.makeLogRecord({"name": "uvicorn.error", "levelname": "WARNING", "msg": "odd %s", "args": (7,)})
    )
    line = json.loads(capsys.readouterr().out)
    assert (line["level"], line["message"], line["logger"]) == ("warning", "odd 7", "uvicorn.error")


def test_a_long_log_is_put_aside_once_and_nothing_is_lost(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; import hoplon.api.log as log; log.LOG_BYTES = 100_000\n"
        "kept = log.Log(Path(sys.argv[1]))\n"
        "for i in range(2500): kept.say('info', 'x' * 10, number=i)\n"
    )
    file = tmp_path / "api.log"
    with file.open("ab") as stdout:
        subprocess.run([sys.executable, "-c", program, str(file)], stdout=stdout, check=True, env=dict(os.environ))
    files = [file.with_name("api.log.1"), file]
    numbers = [json.loads(line)["number"] for each in files for line in each.read_text().splitlines()]
    assert numbers == list(range(numbers[0], 2500))
    assert file.stat().st_size < 150_000
    assert file.stat().st_mode & 0o077 == 0

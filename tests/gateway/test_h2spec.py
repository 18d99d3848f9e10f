"""HTTP/2 by the book: h2spec, a conformance suite of others (145 cases of RFC 7540 and 7541), against `hoplon up`.

`make h2spec` builds it with Go and runs this; without it the test is skipped.
"""

import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.installation import Installation, make_certificate, running
from support.upstream import Upstream, read_until

H2SPEC = Path(__file__).parents[2] / ".cache" / "go" / "bin" / "h2spec"
CASES = 145


def wordy(connection: socket.socket, head: bytes) -> None:
    """Long enough an answer for the cases about windows, which are skipped over shorter ones."""
    while head:
        body = b"" if head.startswith(b"HEAD ") else b"x" * 1000
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" + body)
        head = read_until(connection, b"\r\n\r\n")


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Installation]:
    certificate, key = make_certificate(tmp_path)
    files = {"HOPLON_TLS_CERTIFICATE": str(certificate), "HOPLON_TLS_KEY": str(key)}
    upstream = Upstream(wordy)
    with running(tmp_path / "state", "--upstream", upstream.url, listen="https://127.0.0.1:0", **files) as up:
        yield up
    upstream.close()


@pytest.mark.skipif(not H2SPEC.exists(), reason="h2spec is not built: `make h2spec`")
def test_every_case_of_h2spec_passes(secure: Installation) -> None:
    command = (str(H2SPEC), "-h", "127.0.0.1", "-p", str(secure.port), "-t", "-k", "-o", "5")
    answer = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    found = re.search(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", answer.stdout)
    assert found, answer.stdout[-2000:] + answer.stderr[-2000:]
    assert [int(count) for count in found.groups()] == [CASES, CASES, 0, 0], answer.stdout[-6000:]

"""Addresses and credential files that are taken, and those that are refused with a reason."""

from pathlib import Path

import pytest

from hoplon.delivery.following import check_server, read_credential
from hoplon.errors import HoplonError


@pytest.mark.parametrize(
    "url",
    ["https://hoplon.example:8081", "https://hoplon/", "http://127.0.0.1:1", "http://[::1]:1", "http://localhost"],
)
def test_tls_or_this_machine(url: str) -> None:
    check_server(url)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://10.0.0.1:8081", "server.plain"),
        ("http://hoplon.example", "server.plain"),
        ("http://localhost.example", "server.plain"),
        ("hoplon:8081", "server.invalid"),
        ("ftp://hoplon", "server.invalid"),
        ("https://", "server.invalid"),
        ("https://hoplon:port", "server.invalid"),
        ("https://hoplon:99999", "server.invalid"),
        ("https://me:secret@hoplon", "server.invalid"),
        ("https://hoplon/client/v4", "server.invalid"),
        ("https://[::1", "server.invalid"),
    ],
)
def test_anything_else_is_refused(url: str, code: str) -> None:
    with pytest.raises(HoplonError) as refused:
        check_server(url)
    assert refused.value.code == code
    assert refused.value.hint


def test_plain_http_to_another_machine_only_by_its_dangerous_name() -> None:
    check_server("http://10.0.0.1:8081", is_plain_allowed=True)


def credential(directory: Path, content: bytes, mode: int = 0o600) -> Path:
    file = directory / "credential"
    file.write_bytes(content)
    file.chmod(mode)
    return file


def test_the_token_is_the_files_one_line(tmp_path: Path) -> None:
    assert read_credential(credential(tmp_path, b"  abc_DEF-1 \n")) == "abc_DEF-1"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(HoplonError, match="other users") as refused:
        read_credential(credential(tmp_path, b"abc", mode))
    assert refused.value.hint is not None and refused.value.hint.startswith("chmod 600")


@pytest.mark.parametrize("content", [b"", b"\n", b"a b", b"a\nb", b"\xff\xfe", b"a\0b", b"x" * 5000])
def test_what_holds_no_token_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(HoplonError) as refused:
        read_credential(credential(tmp_path, content))
    assert refused.value.code == "credential.unusable"


def test_no_file_and_a_directory(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(HoplonError) as refused:
            read_credential(path)
        assert refused.value.code == "credential.unusable"

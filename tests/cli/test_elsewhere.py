"""The command line on a Hoplon elsewhere, a real server process: every command says what it says locally."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.control_plane import RunningControlPlane
from support.installation import apply, hoplon, make_certificate, policy


@pytest.fixture
def control_plane(tmp_path: Path) -> Iterator[RunningControlPlane]:
    assert apply(tmp_path / "control", policy("http://127.0.0.1:9"), "--create").returncode == 0
    found = RunningControlPlane(tmp_path / "control")
    yield found
    found.close()


@pytest.fixture
def elsewhere(control_plane: RunningControlPlane, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without state directory whose environment names the server."""
    monkeypatch.setenv("HOPLON_TOKEN_FILE", str(control_plane.state / "api-token"))
    return control_plane.state.with_name("nothing-here")


def both(
    control_plane: RunningControlPlane, elsewhere: Path, *arguments: str
) -> tuple[subprocess.CompletedProcess[str], subprocess.CompletedProcess[str]]:
    """The same command here, then elsewhere."""
    return hoplon(control_plane.state, *arguments), hoplon(elsewhere, *arguments, "--server", control_plane.url)


READING = [
    ("zones",),
    ("zones", "--json"),
    ("mode",),
    ("mode", "--json"),
    ("policy", "export"),
    ("policy", "export", "--version", "1"),
    ("policy", "history"),
    ("policy", "history", "--json"),
    ("operations", "export"),
    ("operations", "export", "--format", "csv"),
    ("labels",),
    ("labels", "--json"),
    ("gateways",),
    ("token", "list"),
    ("audit", "--limit", "3"),
    ("audit", "export"),
    ("audit", "verify", "--json"),
]


def test_reading_commands_say_the_same(control_plane: RunningControlPlane, elsewhere: Path) -> None:
    for arguments in READING:
        here, there = both(control_plane, elsewhere, *arguments)
        assert here.returncode == 0, (arguments, here.stderr)
        assert (there.returncode, there.stdout, there.stderr) == (0, here.stdout, here.stderr), arguments
    assert not elsewhere.exists(), "a command on a server makes no state directory here"


WRONG = [
    ("policy", "export", "--zone", "defualt"),
    ("policy", "export", "--version", "99"),
    ("policy", "rollback", "--to", "99"),
    ("token", "revoke", "nobody"),
    ("token", "create", "--name", "x", "--permission", "Zone Red"),
    ("operations", "add", "GET", "/a/{"),
    ("operations", "rm", "GET", "/nothing"),
    ("zones", "rm", "defualt"),
    ("zones", "add", "no host"),
]


def test_errors_are_the_same_with_the_same_exit_code(control_plane: RunningControlPlane, elsewhere: Path) -> None:
    for arguments in WRONG:
        here, there = both(control_plane, elsewhere, *arguments)
        assert here.returncode not in (0, 5), (arguments, here.stdout)
        assert there.returncode == here.returncode, (arguments, here.stderr, there.stderr)
        missing = words(here.stderr) - words(there.stderr)
        assert missing <= {"hint"}, (arguments, there.stderr)


def words(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z_.`/]{4,}", text))


def test_a_day_of_work_elsewhere(control_plane: RunningControlPlane, elsewhere: Path, tmp_path: Path) -> None:
    def there(*arguments: str) -> str:
        done = hoplon(elsewhere, *arguments, "--server", control_plane.url)
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout

    exported = tmp_path / "policy.toml"
    there("policy", "export", "-o", str(exported))
    exported.write_text(exported.read_text().replace("merge_slashes = false", "merge_slashes = true"))
    differing = hoplon(elsewhere, "policy", "diff", str(exported), "--server", control_plane.url)
    assert (differing.returncode, "merge_slashes" in differing.stdout) == (1, True)
    assert "is at version 2" in there("policy", "apply", "--yes", str(exported))
    there("operations", "add", "GET", "/orders/{id}")
    assert "/orders/{var1}" in there("operations", "export")
    assert "is at version 4" in there("policy", "rollback", "--to", "1")
    there("mode", "log")
    made = json.loads(there("token", "create", "--name", "ci", "--permission", "API Gateway Read", "--json"))
    log = json.loads(there("audit", "--limit", "2", "--json"))
    assert [(each["action"], each["resource_type"]) for each in log] == [("create", "token"), ("update", "mode")]
    assert {each["actor_name"] for each in log} == {"first start"}
    there("token", "revoke", made["id"])
    revoked = hoplon(elsewhere, "policy", "export", "--server", control_plane.url, "--token", made["token"])
    assert revoked.returncode == 1
    assert "hint: --token-file FILE or HOPLON_TOKEN says another" in revoked.stderr


def test_without_a_token_or_with_one_that_others_can_read_nothing_is_asked(
    control_plane: RunningControlPlane, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HOPLON_TOKEN_FILE")
    bare = hoplon(elsewhere, "zones", "--server", control_plane.url)
    assert (bare.returncode, "--server needs a token" in bare.stderr) == (1, True)
    open_to_all = tmp_path / "token"
    open_to_all.write_text("token")
    open_to_all.chmod(0o644)
    refused = hoplon(elsewhere, "zones", "--server", control_plane.url, "--token-file", str(open_to_all))
    assert "chmod 600" in refused.stderr


def test_over_tls_with_an_authority_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = make_certificate(tmp_path)
    other, _ = make_certificate(tmp_path, "other")
    monkeypatch.setenv("HOPLON_TLS_CERTIFICATE", str(certificate))
    monkeypatch.setenv("HOPLON_TLS_KEY", str(key))
    state = tmp_path / "control"
    assert apply(state, policy("http://127.0.0.1:9"), "--create").returncode == 0
    control_plane = RunningControlPlane(state, "https")
    options = ("--server", control_plane.url, "--token-file", str(state / "api-token"))
    try:
        trusted = hoplon(tmp_path / "none", "zones", *options, "--server-ca", str(certificate))
        assert (trusted.returncode, "default" in trusted.stdout) == (0, True), trusted.stderr
        for authority in ((), ("--server-ca", str(other))):
            refused = hoplon(tmp_path / "none", "zones", *options, *authority)
            assert refused.returncode == 1
            assert "certificate" in refused.stderr and "--server-ca" in refused.stderr
        plain = hoplon(tmp_path / "none", "zones", "--server", control_plane.url.replace("https", "http"), *options[2:])
        assert plain.returncode == 1
        assert "error: " in plain.stderr and "hint: " in plain.stderr
    finally:
        control_plane.close()

"""Sealed secrets: they come back as they went in, only for who has the key, and survive its change at any moment."""

import base64
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from hoplon.errors import HoplonError
from hoplon.model.actor import Actor
from hoplon.service.secrets import delete_secret, list_secrets, open_secret, put_secret, replace_secret, rotate_key
from hoplon.service.workspace import Workspace
from hoplon.storage import sealing
from hoplon.storage.database import transaction
from hoplon.storage.secrets import keys_in_use
from hoplon.storage.tables import secrets as secrets_table

NOBODY = Actor("user", "tester", "tester")
VALUE = b"planted-secret-\x00\xff"


@pytest.fixture(autouse=True)
def no_key_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (sealing.VARIABLE, sealing.PREVIOUS_VARIABLE):
        monkeypatch.delenv(name, raising=False)


def put(workspace: Workspace, value: bytes = VALUE) -> str:
    return put_secret(workspace, NOBODY, "hmac_key", "of the shop", value)


def code_of(call: object, *arguments: object) -> str:
    assert callable(call)
    with pytest.raises(HoplonError) as caught:
        call(*arguments)
    return caught.value.code


def key_ids(workspace: Workspace) -> set[str]:
    with transaction(workspace.database) as connection:
        return set(keys_in_use(connection))


def test_what_was_sealed_opens_again(workspace: Workspace) -> None:
    one, other = put(workspace), put(workspace, b"")
    assert (open_secret(workspace, one), open_secret(workspace, other)) == (VALUE, b"")
    replace_secret(workspace, NOBODY, one, b"new")
    assert open_secret(workspace, one) == b"new"
    delete_secret(workspace, NOBODY, one)
    for call in (open_secret, lambda *given: delete_secret(given[0], NOBODY, given[1])):
        assert code_of(call, workspace, one) == "secrets.unknown"
    assert code_of(replace_secret, workspace, NOBODY, one, b"") == "secrets.unknown"


def test_the_key_is_private_and_made_with_the_first_secret(workspace: Workspace) -> None:
    key = workspace.state.installation_key
    assert not key.exists()
    put(workspace)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(key.read_bytes()) == 32


def test_nothing_in_the_state_directory_or_its_listing_has_the_value(workspace: Workspace) -> None:
    put(workspace)
    assert "planted" not in repr(list_secrets(workspace))
    assert "planted" not in repr(sealing.load_keys(workspace.state))
    for path in workspace.state.root.rglob("*"):
        assert not path.is_file() or b"planted-secret" not in path.read_bytes(), path


def test_a_row_does_not_open_in_the_place_of_another(workspace: Workspace) -> None:
    one, other = put(workspace), put(workspace, b"other")
    with transaction(workspace.database) as connection:
        row = connection.execute(secrets_table.select().where(secrets_table.c.id == one)).one()
        stolen = {name: getattr(row, name) for name in ("nonce", "ciphertext")}
        connection.execute(secrets_table.update().where(secrets_table.c.id == other).values(**stolen))
    assert code_of(open_secret, workspace, other) == "secrets.damaged"


def test_without_its_key_a_secret_stays_closed_and_no_other_key_is_made(workspace: Workspace) -> None:
    secret = put(workspace)
    key = workspace.state.installation_key.read_bytes()
    workspace.state.installation_key.unlink()
    assert code_of(open_secret, workspace, secret) == "secrets.key_missing"
    assert code_of(put, workspace) == "secrets.key_missing"
    assert not workspace.state.installation_key.exists()
    workspace.state.installation_key.write_bytes(key)
    assert open_secret(workspace, secret) == VALUE


def test_a_damaged_key_is_named(workspace: Workspace) -> None:
    secret = put(workspace)
    workspace.state.installation_key.write_bytes(b"short")
    assert code_of(open_secret, workspace, secret) == "keys.unusable"


def test_rotation_seals_everything_anew_and_forgets_the_old_key(workspace: Workspace) -> None:
    secrets = [put(workspace, bytes([number])) for number in range(5)]
    before = workspace.state.installation_key.read_bytes()
    rotation = rotate_key(workspace, NOBODY)
    assert rotation.resealed == 5
    assert key_ids(workspace) == {rotation.key_id}
    assert workspace.state.installation_key.read_bytes() != before
    assert not workspace.state.installation_key_previous.exists()
    assert [open_secret(workspace, secret) for secret in secrets] == [bytes([number]) for number in range(5)]


@pytest.mark.parametrize("moment", ["replace_key", "reseal_all", "forget_previous_key", "make_key"])
@pytest.mark.parametrize("is_before", [True, False])
def test_a_crash_at_any_step_of_a_rotation_loses_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, moment: str, is_before: bool
) -> None:
    from hoplon.service import secrets

    secret = put(workspace)
    place = secrets if moment == "reseal_all" else sealing
    real = getattr(place, moment)

    def crash(*arguments: object) -> None:
        if not is_before:
            real(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(place, moment, crash)
        with pytest.raises(KeyboardInterrupt):
            rotate_key(workspace, NOBODY)
    assert open_secret(workspace, secret) == VALUE
    later = put(workspace, b"later")
    assert rotate_key(workspace, NOBODY).key_id in key_ids(workspace)
    assert (open_secret(workspace, secret), open_secret(workspace, later)) == (VALUE, b"later")
    assert len(key_ids(workspace)) == 1
    assert not workspace.state.installation_key_previous.exists()


@pytest.mark.parametrize("written", [bytes.hex, lambda key: base64.b64encode(key).decode()])
def test_the_environment_may_hold_the_key(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, written: Callable[[bytes], str]
) -> None:
    monkeypatch.setenv(sealing.VARIABLE, written(b"k" * 32))
    secret = put(workspace)
    assert open_secret(workspace, secret) == VALUE
    assert not workspace.state.installation_key.exists()
    monkeypatch.delenv(sealing.VARIABLE)
    assert code_of(open_secret, workspace, secret) == "secrets.key_missing"
    monkeypatch.setenv(sealing.VARIABLE, "k" * 32)
    assert code_of(open_secret, workspace, secret) == "keys.unusable"


def test_a_key_from_the_environment_is_replaced_by_who_sets_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_file = put(workspace, b"under the file's key")
    monkeypatch.setenv(sealing.VARIABLE, ("a" * 32).encode().hex())
    assert open_secret(workspace, in_file) == b"under the file's key"
    assert rotate_key(workspace, NOBODY).resealed == 1
    monkeypatch.setenv(sealing.VARIABLE, ("b" * 32).encode().hex())
    assert code_of(open_secret, workspace, in_file) == "secrets.key_missing"
    monkeypatch.setenv(sealing.PREVIOUS_VARIABLE, ("a" * 32).encode().hex())
    assert rotate_key(workspace, NOBODY).resealed == 1
    monkeypatch.delenv(sealing.PREVIOUS_VARIABLE)
    assert open_secret(workspace, in_file) == b"under the file's key"


def test_the_key_of_the_environment_is_no_setting(tmp_path: Path) -> None:
    from hoplon.settings.load import load_settings

    settings = load_settings(environ={"HOPLON_INSTALLATION_KEY": "00" * 32, "HOPLON_STATE": str(tmp_path)})
    assert "00" * 32 not in repr(settings)

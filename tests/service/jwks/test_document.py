"""What a server may write in a key set, and what is made of it."""

import json

import pytest

from hoplon.errors import HoplonError
from hoplon.service.jwks.document import MAX_LISTED, read_key_set
from support.jwks import ec_signer, hmac_signer, rsa_signer

RSA, EC, OCT = dict(rsa_signer().jwk), dict(ec_signer().jwk), dict(hmac_signer().jwk)


def test_keys_of_use_are_taken_and_the_others_left_out() -> None:
    listed = [RSA, {**EC, "use": "enc"}, OCT, {"kty": "new"}, {**EC, "x": "broken", "kid": "b"}, EC]
    taken = read_key_set(json.dumps({"keys": listed, "more": 1}).encode())
    assert [key.kid for key in taken.keys] == ["rsa-1", "ec-1"]
    assert len(taken.notes) == 4


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>secret-content</html>",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": ["secret-content"]}',
        b'{"keys": []}',
        b'{"keys": [], "keys": []}',
        b'{"keys": [NaN]}',
        b"[" * 100_000,
        b'{"keys": ' + b"[" * 100_000,
        json.dumps({"keys": [{**RSA, "d": "secret-content"}]}).encode(),
        json.dumps({"keys": [RSA, RSA]}).encode(),
        json.dumps({"keys": [{**RSA, "kid": str(n)} for n in range(17)]}).encode(),
        json.dumps({"keys": [{}] * (MAX_LISTED + 1)}).encode(),
        json.dumps({"keys": [OCT]}).encode(),
    ],
)
def test_anything_else_is_refused_without_being_quoted(content: bytes) -> None:
    with pytest.raises(HoplonError) as raised:
        read_key_set(content)
    assert raised.value.code == "jwks.invalid"
    assert "secret-content" not in str(raised.value)

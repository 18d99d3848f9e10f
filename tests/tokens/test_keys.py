"""Intake of keys: what verifies is taken, what does not is left out and said, what nobody may hand over is refused."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hoplon.tokens.keys import ALG_DEFAULTED, KEY_LEFT_OUT, MAX_KEYS, MEMBERS_LEFT_OUT, decode, encode, take_keys
from support.jwks import ec_signer, ed_signer, hmac_signer, rsa_signer

RSA = dict(rsa_signer("key-1").jwk)
EC = dict(ec_signer().jwk)
OKP = dict(ed_signer().jwk)
OCT = dict(hmac_signer().jwk)


def without(jwk: dict[str, str], *names: str) -> dict[str, Any]:
    return {name: value for name, value in jwk.items() if name not in names}


@pytest.mark.parametrize("jwk", [RSA, EC, OKP])
def test_a_public_key_is_taken_as_it_is(jwk: dict[str, str]) -> None:
    intake = take_keys([jwk])
    assert [key.as_jwk() for key in intake.keys] == [jwk]
    assert (intake.notes, intake.problems, intake.material) == ((), (), {})


def test_a_secret_travels_apart_from_its_key() -> None:
    intake = take_keys([OCT])
    assert intake.keys[0].as_jwk() == without(OCT, "k")
    assert intake.material == {("HS256", "hmac-1"): b"s" * 32}
    assert OCT["k"] not in repr(intake) and "ssss" not in repr(intake)


def test_rsa_without_alg_is_rs256_and_says_so_in_cloudflare_s_words() -> None:
    intake = take_keys([without(RSA, "alg")])
    assert intake.keys[0].alg == "RS256"
    message = 'keys[0].alg was omitted and defaulted to "RS256" (kid "key-1")'
    assert [(note.code, note.message) for note in intake.notes] == [(ALG_DEFAULTED, message)]


def test_hmac_without_alg_is_refused() -> None:
    assert "must say its `alg`" in take_keys([without(OCT, "alg")]).problems[0].message


def test_what_verifies_nothing_is_left_out_and_said() -> None:
    intake = take_keys([{**RSA, "use": "sig", "x5c": ["…"], "key_ops": ["verify"]}])
    assert [key.as_jwk() for key in intake.keys] == [RSA]
    assert [note.code for note in intake.notes] == [MEMBERS_LEFT_OUT]
    assert "'key_ops', 'use', 'x5c'" in intake.notes[0].message


@pytest.mark.parametrize(
    "unsupported",
    [
        {**RSA, "use": "enc"},
        {**RSA, "alg": "RSA-OAEP"},
        {**RSA, "alg": "ES256"},
        {**RSA, "alg": "none"},
        {**RSA, "key_ops": ["encrypt"]},
        {**EC, "crv": "secp256k1"},
        {**EC, "alg": "ES256K"},
        {**OKP, "crv": "X25519"},
        {**OKP, "crv": "Ed448"},
        {"kty": "AKP", "kid": "post-quantum"},
        {},
    ],
)
def test_an_unsupported_key_is_left_out_and_said(unsupported: dict[str, Any]) -> None:
    intake = take_keys([unsupported, RSA])
    assert ([key.as_jwk() for key in intake.keys], intake.problems) == ([RSA], ())
    assert [note.code for note in intake.notes] == [KEY_LEFT_OUT]


def test_a_set_without_any_usable_key_is_refused_when_pasted() -> None:
    assert take_keys([{**RSA, "use": "enc"}]).problems
    assert take_keys([]).problems
    assert not take_keys([], origin="fetched").problems


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth"])
@pytest.mark.parametrize("origin", ["pasted", "fetched"])
def test_a_private_key_is_refused_loudly(member: str, origin: Any) -> None:
    intake = take_keys([RSA, {**EC, member: "AQAB"}], origin=origin)
    assert intake.problems[0].path == f"keys[1].{member}"
    assert "private key" in intake.problems[0].message and "AQAB" not in str(intake.problems)


def _short_rsa() -> dict[str, str]:
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - it is to be refused
    numbers = short.public_key().public_numbers()
    return {**RSA, "n": encode(numbers.n.to_bytes(128, "big"))}


def _other_curve() -> dict[str, str]:
    numbers = ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()
    return {
        **EC,
        "crv": "P-384",
        "x": encode(numbers.x.to_bytes(48, "big")),
        "y": encode(numbers.y.to_bytes(48, "big")),
    }


@pytest.mark.parametrize(
    ("jwk", "words"),
    [
        (_short_rsa(), "2048 to 8192 bits, not 1024"),
        ({**RSA, "e": "AQAA"}, "no RSA key"),
        ({**RSA, "e": "AQ"}, "no RSA key"),
        ({**RSA, "n": RSA["n"] + "="}, "base64url"),
        (without(RSA, "n"), "`n` is missing"),
        ({**RSA, "n": 7}, "`n` is missing"),
        (_other_curve(), "curve P-256, not P-384"),
        ({**EC, "x": EC["y"], "y": EC["x"]}, "no point"),
        ({**EC, "x": "AAAA"}, "32 bytes"),
        ({**OKP, "x": "AAAA"}, "32 bytes"),
        ({**OCT, "k": encode(b"s" * 31)}, "32 to 512 bytes, not 31"),
        ({**OCT, "k": encode(b"s" * 47), "alg": "HS384"}, "48 to 512 bytes, not 47"),
        ({**OCT, "k": encode(b"s" * 63), "alg": "HS512"}, "64 to 512 bytes, not 63"),
        ({**OCT, "k": None}, "`k` is missing"),
        (without(OCT, "k"), "`k` is missing"),
        (without(OCT, "kid"), "needs a `kid`"),
        ({**RSA, "kid": 5}, "`kid` is a text"),
        ({**RSA, "kid": "x" * 257}, "`kid` is a text"),
    ],
)
def test_a_key_with_a_fault_is_refused_when_pasted_and_left_out_when_fetched(jwk: dict[str, Any], words: str) -> None:
    assert words in take_keys([jwk]).problems[0].message
    fetched = take_keys([jwk, RSA], origin="fetched")
    assert ([key.kid for key in fetched.keys], fetched.problems) == (["key-1"], ())
    assert [note.code for note in fetched.notes][:1] == [KEY_LEFT_OUT]


def test_alg_and_kid_together_are_unique() -> None:
    assert not take_keys([RSA, {**RSA, "alg": "PS256"}]).problems
    assert "two keys" in take_keys([RSA, RSA]).problems[0].message
    assert "two keys" in take_keys([RSA, RSA], origin="fetched").problems[0].message


def test_symmetric_and_public_keys_are_not_mixed() -> None:
    assert "never both" in take_keys([RSA, OCT]).problems[0].message
    assert not take_keys([OCT, {**OCT, "kid": "other"}]).problems


def test_there_are_at_most_sixteen_keys() -> None:
    many = [{**RSA, "kid": f"key-{number}"} for number in range(MAX_KEYS + 1)]
    assert not take_keys(many[:-1]).problems
    assert "at most 16 keys" in take_keys(many).problems[0].message


def test_a_key_without_kid_gets_its_thumbprint() -> None:
    """The example of RFC 7638 §3.1."""
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3okn"
        "jhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qM"
        "QvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJz"
        "KnqDKgw"
    )
    intake = take_keys([{"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256"}])
    assert intake.keys[0].kid == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_a_published_symmetric_key_is_left_out() -> None:
    intake = take_keys([OCT, RSA], origin="fetched")
    assert ([key.kid for key in intake.keys], intake.material) == (["key-1"], {})


def test_a_stored_secret_is_kept_when_asked_for() -> None:
    stored = take_keys([{**without(OCT, "k"), "secret": "a1"}]).keys
    assert take_keys([without(OCT, "k")], stored=stored).keys == stored
    assert "could be kept" in str(take_keys([{**without(OCT, "k"), "kid": "other"}], stored=stored).problems[0].hint)


@pytest.mark.parametrize("text", ["", "=", "AA==", "A", "AB", "A+/A", "A A", "AAAA\n"])
def test_base64url_is_strict(text: str) -> None:
    with pytest.raises(ValueError):
        decode(text)

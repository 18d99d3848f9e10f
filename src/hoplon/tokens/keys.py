"""Intake of keys: JSON Web Keys, as people paste them or a server publishes them, to the few members that verify.

What a token cannot be verified with is left out and said; what nobody may hand over (a private key) is refused. The
secret of an HMAC key travels apart from its Key, until it is stored and the Key names it.
"""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import chain
from typing import Any, Literal, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec

from hoplon.errors import Problem

Origin = Literal["pasted", "fetched"]
"""From a person, who is told what is wrong; or from a server, whose other keys are of use all the same."""

MAX_KEYS = 16
MAX_KID = 256
RSA_BITS = (2048, 8192)
"""Below: RFC 7518 §3.3. Above: what the engine's library verifies."""
MAX_SECRET_BYTES = 512
ALG_DEFAULTED, KEY_LEFT_OUT, MEMBERS_LEFT_OUT = 110003, 110101, 110102
"""Numbers of the notes; the first one is Cloudflare's."""


class Algorithm(NamedTuple):
    """The kind of key that an `alg` takes: its curve, or how long its secret is at least (RFC 7518 §3.2)."""

    kty: str
    curve: str | None = None
    least_bytes: int = 0


ALGORITHMS: Mapping[str, Algorithm] = {
    **{f"{kind}{bits}": Algorithm("RSA") for kind in ("RS", "PS") for bits in (256, 384, 512)},
    "ES256": Algorithm("EC", "P-256"),
    "ES384": Algorithm("EC", "P-384"),
    "ES512": Algorithm("EC", "P-521"),
    "EdDSA": Algorithm("OKP", "Ed25519"),
    "HS256": Algorithm("oct", None, 32),
    "HS384": Algorithm("oct", None, 48),
    "HS512": Algorithm("oct", None, 64),
}
_CURVES: Mapping[str, tuple[ec.EllipticCurve, int]] = {
    "P-256": (ec.SECP256R1(), 32),
    "P-384": (ec.SECP384R1(), 48),
    "P-521": (ec.SECP521R1(), 66),
}
_OF_CURVE = {each.curve: name for name, each in ALGORITHMS.items() if each.curve}
_MEMBERS = {"RSA": ("e", "n"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x"), "oct": ()}
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Key:
    """One key. `members` are what verifies, sorted by name; an HMAC key has none and names its secret instead."""

    kty: str
    alg: str
    kid: str
    members: tuple[tuple[str, str], ...] = ()
    secret: str | None = None

    @property
    def identity(self) -> tuple[str, str]:
        """By what a token's header chooses it; unique in a set."""
        return self.alg, self.kid

    def as_jwk(self) -> dict[str, str]:
        """Its members as a JWK; never a secret, not even its id."""
        return {"kty": self.kty, "alg": self.alg, "kid": self.kid, **dict(self.members)}

    def __str__(self) -> str:
        return f"{self.alg} key {self.kid}"


@dataclass(frozen=True, slots=True)
class Note:
    """Something that was done to the keys and that whoever sent them should know."""

    code: int
    message: str


@dataclass(frozen=True, slots=True)
class Intake:
    """What came of a set of keys. `material` is the secret of each HMAC key that brought one, by identity."""

    keys: tuple[Key, ...] = ()
    notes: tuple[Note, ...] = ()
    problems: tuple[Problem, ...] = ()
    material: Mapping[tuple[str, str], bytes] = field(default_factory=dict, repr=False)


class _Taken(NamedTuple):
    key: Key | None = None
    notes: tuple[Note, ...] = ()
    problem: Problem | None = None
    secret: bytes | None = None


class _UnfitError(Exception):
    """Why a key cannot verify anything: (message, hint). Caught in this file."""


def take_keys(
    jwks: Sequence[Mapping[str, Any]],
    path: str = "keys",
    origin: Origin = "pasted",
    stored: Sequence[Key] = (),
) -> Intake:
    """The keys of a set; `path` is where it stands, for problems and notes.

    `stored` are keys whose secret is kept: an HMAC key of the same identity may leave `k` out (Cloudflare's PATCH), or
    name it by `secret`.
    """
    kept = {key.identity: key for key in stored}
    taken = [_take(each, f"{path}[{index}]", origin, kept) for index, each in enumerate(jwks)]
    keys = tuple(each.key for each in taken if each.key is not None)
    problems = [each.problem for each in taken if each.problem is not None]
    if not problems:
        problems += _check_set(keys, path, origin)
    material = {each.key.identity: each.secret for each in taken if each.key and each.secret is not None}
    return Intake(keys, tuple(chain.from_iterable(each.notes for each in taken)), tuple(problems), material)


def written_keys(tables: Sequence[Mapping[str, str]]) -> tuple[Key, ...]:
    """The keys that a policy document or the store has. Where one has a fault all stay as they are written, for the
    check to find it; a secret that was written there is never among them."""
    intake = take_keys(tables)
    if not intake.problems and len(intake.keys) == len(tables):
        return intake.keys
    return tuple(_as_written(each) for each in tables)


def _as_written(table: Mapping[str, str]) -> Key:
    members = [(name, value) for name, value in table.items() if name not in ("kty", "alg", "kid", "secret", "k")]
    kty, alg, kid = (table.get(name, "") for name in ("kty", "alg", "kid"))
    return Key(kty, alg, kid, tuple(sorted(members)), table.get("secret"))


def written_problems(keys: Sequence[Key], path: str) -> Iterator[Problem]:
    """What is wrong with the keys of a policy document: nothing is left out there, and secrets are only named."""
    intake = take_keys([{**key_table(key), **({} if key.alg else {"alg": None})} for key in keys], path)
    yield from intake.problems
    yield from (Problem(path, note.message, "leave it out") for note in intake.notes if note.code == KEY_LEFT_OUT)
    for index, key in enumerate(keys):
        if key.kty == "oct" and not key.secret:
            yield Problem(
                f"{path}[{index}]",
                "an HMAC key names its secret by id: the secret itself never stands in a policy document",
                "`hoplon tokens keys set` stores it; `hoplon policy export` then shows its id",
            )


def key_table(key: Key) -> dict[str, str]:
    """The key as a policy document has it."""
    return {**key.as_jwk(), **({"secret": key.secret} if key.secret else {})}


def encode(value: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """What base64url without padding spells. Raises ValueError for anything that `encode` would not write."""
    if not _BASE64URL.fullmatch(text):
        raise ValueError("it is not base64url without padding")
    value = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode(value) != text:
        raise ValueError("it is not base64url as RFC 4648 §3.5 wants it")
    return value


def _take(jwk: Mapping[str, Any], path: str, origin: Origin, kept: Mapping[tuple[str, str], Key]) -> _Taken:
    if private := _private_members(jwk):
        return _Taken(problem=_private_problem(path, private))
    if why := _unsupported(jwk, origin):
        return _Taken(notes=(Note(KEY_LEFT_OUT, f"{path} was left out{_named(jwk)}: {why}"),))
    try:
        key, secret = _read(jwk, kept)
    except _UnfitError as error:
        if origin == "fetched":
            return _Taken(notes=(Note(KEY_LEFT_OUT, f"{path} was left out{_named(jwk)}: {error.args[0]}"),))
        return _Taken(problem=Problem(path, *error.args))
    return _Taken(key, tuple(_notes(jwk, key, path)), secret=secret)


def _private_members(jwk: Mapping[str, Any]) -> list[str]:
    """Members of a private key (RFC 7518 §6.2.2, §6.3.2): whoever holds them signs tokens."""
    return [name for name in _PRIVATE if name in jwk] if jwk.get("kty") in ("RSA", "EC", "OKP") else []


def _private_problem(path: str, names: Sequence[str]) -> Problem:
    return Problem(
        f"{path}.{names[0]}",
        "this is a private key: whoever has it can sign tokens, so it must never leave who signs them",
        "send the public key only (`kty`, `alg`, `kid` and `n`, `e` or `crv`, `x`, `y`), and replace this one",
    )


def _unsupported(jwk: Mapping[str, Any], origin: Origin) -> str | None:
    """Why a key is of no use here, though nothing is wrong with it."""
    kty, alg, use, operations = (jwk.get(name) for name in ("kty", "alg", "use", "key_ops"))
    if use not in (None, "sig"):
        return f"it is for `use` {_shown(use)}, not for signatures"
    if isinstance(operations, list) and operations and "verify" not in operations:
        return "`key_ops` does not allow to verify with it"
    if kty not in _MEMBERS:
        return f"`kty` {_shown(kty)} is none of RSA, EC, OKP, oct"
    if kty == "oct" and origin == "fetched":
        return "a symmetric key that is published is no secret"
    if alg is not None and (alg not in ALGORITHMS or ALGORITHMS[alg].kty != kty):
        return f"`alg` {_shown(alg)} is none that a {kty} key verifies with here"
    curve = jwk.get("crv")
    if kty in ("EC", "OKP") and (curve not in _OF_CURVE or ALGORITHMS[_OF_CURVE[curve]].kty != kty):
        return f"the curve {_shown(curve)} is not supported"
    return None


def _read(jwk: Mapping[str, Any], kept: Mapping[tuple[str, str], Key]) -> tuple[Key, bytes | None]:
    """The key and, when it brought one, its secret. Raises _UnfitError."""
    kty, alg = str(jwk["kty"]), _algorithm(jwk)
    if kty == "oct":
        return _read_symmetric(jwk, alg, kept)
    members = {name: _text(jwk, name) for name in _MEMBERS[kty]}
    members = _READERS[kty](members, ALGORITHMS[alg])
    key = Key(kty, alg, _kid(jwk, kty, members), tuple(sorted(members.items())))
    _ask_engine(key)
    return key, None


def _ask_engine(key: Key) -> None:
    """The engine has the last word: it also knows moduli that can be factored (ROCA). Raises _UnfitError."""
    from hoplon import _native

    if refused := _native.check_token_key(json.dumps(key.as_jwk())):
        raise _UnfitError(f"`{refused[0]}` {refused[1]}", "make another key")


def _algorithm(jwk: Mapping[str, Any]) -> str:
    """`alg`, or what follows from the kind of key: RS256 for RSA, the curve's own for the others."""
    if "alg" in jwk and jwk["alg"] is not None:
        return str(jwk["alg"])
    if jwk["kty"] == "oct":
        raise _UnfitError("a symmetric key must say its `alg`", "one of HS256, HS384, HS512")
    return "RS256" if jwk["kty"] == "RSA" else _OF_CURVE[jwk["crv"]]


def _kid(jwk: Mapping[str, Any], kty: str, members: Mapping[str, str]) -> str:
    """`kid`, or the key's thumbprint (RFC 7638): tokens of an issuer with one key need not name it."""
    kid = jwk.get("kid")
    if kid is None or kid == "":
        text = ",".join(f'"{name}":"{value}"' for name, value in sorted({**members, "kty": kty}.items()))
        return encode(sha256(f"{{{text}}}".encode()).digest())
    if not isinstance(kid, str) or len(kid) > MAX_KID:
        raise _UnfitError(f"`kid` is a text of at most {MAX_KID} characters", "name the key as its tokens do")
    return kid


def _text(jwk: Mapping[str, Any], name: str) -> str:
    value = jwk.get(name)
    if not isinstance(value, str) or not value:
        raise _UnfitError(f"`{name}` is missing", "see RFC 7518 §6 for the members of a key")
    return value


def _bytes(members: Mapping[str, str], name: str) -> bytes:
    try:
        return decode(members[name])
    except ValueError as error:
        raise _UnfitError(f"`{name}` cannot be read: {error}", "copy the key whole") from None


def _read_rsa(members: Mapping[str, str], algorithm: Algorithm) -> dict[str, str]:
    modulus, exponent = (int.from_bytes(_bytes(members, name), "big") for name in ("n", "e"))
    least, most = RSA_BITS
    if not least <= modulus.bit_length() <= most:
        message = f"an RSA key has {least} to {most} bits, not {modulus.bit_length()}"
        raise _UnfitError(
            message, "sign with a longer key" if modulus.bit_length() < least else "sign with a shorter key"
        )
    if modulus % 2 == 0 or exponent % 2 == 0 or not 3 <= exponent < 2**32:
        raise _UnfitError("`n` and `e` are no RSA key", "copy the key whole")
    return {"n": _encode_number(modulus), "e": _encode_number(exponent)}


def _read_ec(members: Mapping[str, str], algorithm: Algorithm) -> dict[str, str]:
    curve, length = _CURVES[members["crv"]]
    if members["crv"] != algorithm.curve:
        raise _UnfitError(f"`alg` takes the curve {algorithm.curve}, not {members['crv']}", "see RFC 7518 §3.4")
    x, y = _bytes(members, "x"), _bytes(members, "y")
    if (len(x), len(y)) != (length, length):
        raise _UnfitError(f"`x` and `y` of {members['crv']} have {length} bytes", "see RFC 7518 §6.2.1.2")
    try:
        ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), curve).public_key()
    except ValueError:
        raise _UnfitError(f"`x` and `y` are no point of {members['crv']}", "copy the key whole") from None
    return dict(members)


def _read_okp(members: Mapping[str, str], algorithm: Algorithm) -> dict[str, str]:
    if len(_bytes(members, "x")) != 32:
        raise _UnfitError("`x` of Ed25519 has 32 bytes", "see RFC 8037 §2")
    return dict(members)


_READERS = {"RSA": _read_rsa, "EC": _read_ec, "OKP": _read_okp}


def _read_symmetric(jwk: Mapping[str, Any], alg: str, kept: Mapping[tuple[str, str], Key]) -> tuple[Key, bytes | None]:
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID:
        raise _UnfitError("a symmetric key needs a `kid`", "name it as its tokens do")
    if "k" not in jwk:
        return Key("oct", alg, kid, secret=_kept_secret(jwk, alg, kid, kept)), None
    secret = _bytes({"k": _text(jwk, "k")}, "k")
    least = ALGORITHMS[alg].least_bytes
    if not least <= len(secret) <= MAX_SECRET_BYTES:
        message = f"the secret of {alg} has {least} to {MAX_SECRET_BYTES} bytes, not {len(secret)}"
        raise _UnfitError(message, "`k` is these bytes in base64url without padding; RFC 7518 §3.2 says why so many")
    return Key("oct", alg, kid), secret


def _kept_secret(jwk: Mapping[str, Any], alg: str, kid: str, kept: Mapping[tuple[str, str], Key]) -> str:
    """The id of the stored secret that a key without `k` means."""
    if isinstance(jwk.get("secret"), str):
        return str(jwk["secret"])
    if before := kept.get((alg, kid)):
        return str(before.secret)
    raise _UnfitError("`k` is missing", f"there is no {alg} key `{kid}` yet whose secret could be kept")


def _notes(jwk: Mapping[str, Any], key: Key, path: str) -> Iterator[Note]:
    if jwk.get("alg") is None:
        yield Note(ALG_DEFAULTED, f'{path}.alg was omitted and defaulted to "{key.alg}" (kid "{key.kid}")')
    unneeded = sorted(jwk.keys() - {"kty", "alg", "kid", "k", "secret", *_MEMBERS[key.kty]})
    if unneeded:
        names = ", ".join(_shown(name) for name in unneeded[:10])
        yield Note(MEMBERS_LEFT_OUT, f"{path}: left out {names}, which verify nothing")


def _check_set(keys: Sequence[Key], path: str, origin: Origin) -> Iterator[Problem]:
    if not keys and origin == "pasted":
        yield Problem(path, "no key of this set verifies a token", "RS, PS, ES, HS with 256, 384 or 512, or EdDSA")
    if len(keys) > MAX_KEYS:
        yield Problem(path, f"a configuration has at most {MAX_KEYS} keys, not {len(keys)}", "leave out old ones")
    if len({key.kty == "oct" for key in keys}) > 1:
        hint = "make a token configuration of its own for each"
        yield Problem(path, "a set holds symmetric keys or public ones, never both: one could pass for the other", hint)
    identities = [key.identity for key in keys]
    for alg, kid in sorted({each for each in identities if identities.count(each) > 1}):
        yield Problem(path, f"two keys have the `kid` {_shown(kid)} and the `alg` {alg}", "a token could mean either")


def _encode_number(number: int) -> str:
    return encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _named(jwk: Mapping[str, Any]) -> str:
    return f" (kid {_shown(jwk['kid'])})" if isinstance(jwk.get("kid"), str) else ""


def _shown(value: object) -> str:
    """At most 40 characters of something that somebody else wrote, without what a terminal obeys."""
    return repr(value)[:40]

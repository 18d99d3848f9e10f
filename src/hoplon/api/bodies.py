"""Request bodies: bytes to strict JSON to a checked model, or an error that points at what is wrong.

Strict: one document in UTF-8, no member twice, no NaN, bounded depth. Whether unknown members are ignored or refused is
the model's own word (`Lenient`, `Strict`).
"""

import json
from collections import Counter
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from hoplon.api.errors import pointer_of
from hoplon.errors import HoplonError, Problem

MAX_DEPTH = 64
MAX_VALUES = 500_000
"""So many values one body may hold: 32 MB of `{},` would be gigabytes once read. Counted by the marks that begin or
part values, those inside of strings too, before anything is read."""
_KEPT_PROBLEMS = 200


class Lenient(BaseModel):
    """A body whose unknown members are ignored: what Cloudflare does for most resources."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Strict(BaseModel):
    """A body whose unknown members are refused: where ignoring one would do something else than was meant."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def read_body(content: bytes, form: Any) -> Any:
    """The body as a value of `form` (a model, or a type of models such as `list[Model]`).

    Raises `request.not_json` or, with every problem and its place, `request.body`.
    """
    read_json(content)
    try:
        return _adapter(form).validate_json(content)
    except ValidationError as error:
        raise _wrong(error) from None


def read_json(content: bytes) -> Any:
    """The one JSON document that `content` is. Raises `request.not_json`, or `request.too_large` for too many."""
    if sum(content.count(mark) for mark in (b",", b"[", b"{")) > MAX_VALUES:
        raise HoplonError("request.too_large", f"the body holds more than {MAX_VALUES:,} values", "send it in parts")
    try:
        text = content.decode()
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
        if "\\u" in text:
            _check_escapes(text, document)
    except UnicodeDecodeError as error:
        raise _not_json(f"it is not UTF-8 (byte {error.start})") from error
    except RecursionError:
        raise _not_json(f"it is nested deeper than {MAX_DEPTH}") from None
    except ValueError as error:
        raise _not_json(str(error)) from error
    if _depth(document) > MAX_DEPTH:
        raise _not_json(f"it is nested deeper than {MAX_DEPTH}")
    return document


@cache
def _adapter(form: Any) -> TypeAdapter[Any]:
    return TypeAdapter(form)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"the member `{twice[:100]}` is there twice")
    return members


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON value")


def _check_escapes(text: str, document: Any) -> None:
    """Refuse what an escape can spell and no database keeps: half a surrogate pair, and NUL."""
    if "\\u0000" in text:
        raise ValueError("it holds the character NUL")
    if "\\ud" in text or "\\uD" in text:
        try:
            json.dumps(document, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("it holds half a surrogate pair") from None


def _depth(document: Any) -> int:
    """How deep arrays and objects are nested; stops counting just beyond the bound."""
    depth, level = 0, [document]
    while level := [value for value in level if isinstance(value, dict | list)]:
        depth += 1
        if depth > MAX_DEPTH:
            break
        level = [item for value in level for item in (value.values() if isinstance(value, dict) else value)]
    return depth


def _not_json(reason: str) -> HoplonError:
    return HoplonError("request.not_json", f"the body is not the JSON that is needed: {reason}")


def _wrong(error: ValidationError) -> HoplonError:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    problems = tuple(
        Problem(pointer_of(item["loc"]), item["msg"].removeprefix("Value error, ")) for item in found[:_KEPT_PROBLEMS]
    )
    return HoplonError("request.body", "the body is wrong", None, problems)

"""What a user label may be called and may carry, and the one stored text of its metadata."""

import json
import re
from typing import Any

from hoplon.labels.managed import MANAGED_PREFIX

Fault = tuple[str, str]
"""What is wrong, and what to do."""

MAX_LABELS = 1_000
"""User labels of one zone."""
MAX_PER_OPERATION = 50
"""Labels on one operation, user and managed together."""
MAX_DESCRIPTION = 1_000
MAX_METADATA_BYTES = 4_096
MAX_METADATA_DEPTH = 16
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")


def name_fault(name: str) -> Fault | None:
    """What is wrong with the name of a user label, None when it is fine."""
    if not _NAME.fullmatch(name):
        rule = "1 to 64 of A-Z a-z 0-9 `.` `_` `-`, first and last a letter or digit"
        return f"`{name[:80]}` is no name for a label", rule
    if name.lower().startswith(MANAGED_PREFIX):
        return f"`{name}`: names that begin with `{MANAGED_PREFIX}` are managed labels", "choose another name"
    return None


def description_fault(description: str) -> Fault | None:
    """What is wrong with a description, None when it is fine."""
    if len(description) > MAX_DESCRIPTION:
        return f"a description has at most {MAX_DESCRIPTION} characters, not {len(description)}", "shorten it"
    if any(character < " " and character not in "\t\n" for character in description):
        return "a description is text without control characters", "remove them"
    return None


def metadata_fault(metadata: Any) -> Fault | None:
    """What is wrong with metadata (any JSON value), None when it is fine."""
    if _depth(metadata) > MAX_METADATA_DEPTH:
        return f"metadata is nested at most {MAX_METADATA_DEPTH} deep", "flatten it"
    try:
        size_bytes = len(metadata_text(metadata).encode())
    except (TypeError, ValueError):
        return "metadata is any JSON value", "no NaN, no infinity, no half a surrogate pair"
    if size_bytes > MAX_METADATA_BYTES:
        return f"metadata is at most {MAX_METADATA_BYTES} bytes of JSON, not {size_bytes}", "keep the rest elsewhere"
    return None


def metadata_text(metadata: Any) -> str:
    """Metadata as it is stored and exported: compact JSON with sorted keys, so that equal values are equal texts.

    Raises ValueError or TypeError for what is no JSON.
    """
    return json.dumps(metadata, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def parse_metadata(text: str) -> Any:
    """The JSON value of a text. Raises ValueError, or RecursionError when it is nested absurdly deep."""
    return json.loads(text, parse_constant=_no_constant)


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON value")


def _depth(value: Any) -> int:
    """How deep arrays and objects are nested; walked level by level, so that no depth can exhaust the stack."""
    level, depth = [value], 0
    while level := [inner for outer in level for inner in _inside(outer)]:
        depth += 1
        if depth > MAX_METADATA_DEPTH:
            break
    return depth


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value.values(), None]
    return [*value, None] if isinstance(value, list) else []

"""The licence check reads SPDX expressions as SPDX means them."""

import pytest

from tools.licences import is_allowed


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only AND MIT", False),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", True),
        ("MIT OR GPL-3.0-only AND Zlib", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
        ("MIT/Apache-2.0", True),
        ("MIT AND", False),
        ("(MIT", False),
        ("", False),
    ],
)
def test_or_needs_one_side_and_needs_both(expression: str, allowed: bool) -> None:
    assert is_allowed(expression) is allowed

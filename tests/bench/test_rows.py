"""What our own benchmarks in Rust print is read as they mean it, and what they do not say is an error."""

from collections.abc import Callable

import pytest

from bench.rows import parse_limits_bench, parse_rules_bench

RULES = """head of a request without rules: 727 ns
100 realistic rules, none matching: 2247 ns more
10 rules heavy on regular expressions: 690 ns more
100 rules heavy on regular expressions: 7756 ns more
"""
LIMITS = """10000000 keys offered to 64 MiB: 1034 ns each, 56.0 MiB of slots, 62.2 MiB resident more
a decision, key hashed,      1000 sessions:    186 ns; three limits together:    670 ns
a decision, key hashed,   1000000 sessions:    389 ns; three limits together:   1342 ns
"""


def test_the_figures_of_rules_and_limits_are_found() -> None:
    assert parse_rules_bench(RULES).items() >= {"realistic_nanoseconds": 2247, "heavy_nanoseconds": 7756}.items()
    limits = parse_limits_bench(LIMITS)
    assert (limits["nanoseconds"], limits["crowd_nanoseconds"], limits["three_nanoseconds"]) == (186, 389, 670)
    assert (limits["keys"], limits["bound_mebibytes"], limits["resident_mebibytes"]) == (10_000_000, 64, 62.2)


@pytest.mark.parametrize("parse", [parse_rules_bench, parse_limits_bench])
def test_output_without_figures_is_an_error(parse: Callable[[str], object]) -> None:
    with pytest.raises(ValueError, match="gave no figures"):
        parse("a warning")

"""Line numbers of a TOML text: of headers, keys and entries; never fooled by what stands inside strings."""

import tomllib

from hoplon.policy.lines import line_numbers, line_of

TEXT = '''format = 1
a.b = 2

[zone]
name = "x"
"quoted key" = 1

[[zone.upstreams]]
url = "1"
[[zone.upstreams]]
url = "2"
[zone.upstreams.inner]
deep = 1

[operations]
note = """
[not.a.header]
key = "inside"
"""
saved = [
    { method = "GET" },
    # a comment
    { method = "POST", path = "/" },
]
after = 1
'''


def test_lines() -> None:
    tomllib.loads(TEXT)
    lines = line_numbers(TEXT)
    expected = {
        ("format",): 1,
        ("a", "b"): 2,
        ("zone", "name"): 5,
        ("zone", "quoted key"): 6,
        ("zone", "upstreams", 0, "url"): 9,
        ("zone", "upstreams", 1): 10,
        ("zone", "upstreams", 1, "url"): 11,
        ("zone", "upstreams", 1, "inner", "deep"): 13,
        ("operations", "saved"): 20,
        ("operations", "saved", 0): 21,
        ("operations", "saved", 1): 23,
        ("operations", "after"): 25,
    }
    assert {path: lines[path] for path in expected} == expected
    assert ("not", "a", "header") not in lines
    assert ("operations", "key") not in lines


def test_what_has_no_line_has_that_of_what_is_around_it() -> None:
    lines = line_numbers(TEXT)
    assert line_of(lines, ("operations", "saved", 0, "method")) == 21
    assert line_of(lines, ("operations", "none")) == 15
    assert line_of(lines, ("elsewhere",)) is None

"""Query strings: what each kind of parameter takes, and what it says to the rest."""

from typing import Any

import pytest

from hoplon.api.query import DIRECTION, PAGING, Choice, Flag, Integer, Parameter, Several, Text, read_query
from hoplon.errors import HoplonError

TEXT = Text("text", "", 5)
CHOICE = Choice("choice", "", ("one", "two"), "one")
NUMBER = Integer("number", "", 5, 50, 20)
FLAG = Flag("flag", "")
LIST = Several("list", "", max_items=3)
WORDS = Several("words", "", ("one", "two"))


@pytest.mark.parametrize(
    ("parameter", "text", "value"),
    [
        (TEXT, b"", None),
        (TEXT, b"text=", None),
        (TEXT, b"text=a%20b", "a b"),
        (TEXT, b"text=a+b", "a b"),
        (TEXT, b"text=%C3%A4", "ä"),
        (CHOICE, b"", "one"),
        (CHOICE, b"choice=two", "two"),
        (NUMBER, b"", 20),
        (NUMBER, b"number=5", 5),
        (NUMBER, b"number=50.0", 50),
        (FLAG, b"", None),
        (FLAG, b"flag=false", False),
        (LIST, b"", ()),
        (LIST, b"list=a&list=b", ("a", "b")),
        (LIST, b"list=a,b&list=b", ("a", "b")),
        (LIST, b"list=a%2Cb", ("a", "b")),
        (WORDS, b"words=two,one", ("two", "one")),
        (TEXT, b"unknown=1&unknown=2", None),
    ],
)
def test_a_value_is_read(parameter: Parameter, text: bytes, value: Any) -> None:
    assert read_query(text, [parameter]) == {parameter.name: value}


@pytest.mark.parametrize(
    ("parameter", "text", "said"),
    [
        (TEXT, b"text=abcdef", "longer than 5"),
        (TEXT, b"text=a&text=b", "more than once"),
        (TEXT, b"text=%FF", "UTF-8"),
        (CHOICE, b"choice=three", "one, two"),
        (CHOICE, b"choice=", "one, two"),
        (NUMBER, b"number=4", "from 5 to 50"),
        (NUMBER, b"number=51", "from 5 to 50"),
        (NUMBER, b"number=5.5", "from 5 to 50"),
        (NUMBER, b"number=1e1", "from 5 to 50"),
        (NUMBER, b"number=" + b"9" * 5000, "from 5 to 50"),
        (NUMBER, b"number=\xd9\xa7", "UTF-8"),
        (NUMBER, b"number=%D9%A7", "from 5 to 50"),
        (FLAG, b"flag=yes", "true or false"),
        (LIST, b"list=a,b,c,d", "at most 3"),
        (WORDS, b"words=one,three", "one, two"),
        (TEXT, b"&".join(b"a=1" for _ in range(3000)), "2000 fields"),
    ],
)
def test_a_value_that_cannot_be_taken_says_what_can(parameter: Parameter, text: bytes, said: str) -> None:
    with pytest.raises(HoplonError) as caught:
        read_query(text, [parameter])
    assert caught.value.code == "request.query"
    assert said in caught.value.message


def test_paging_has_the_bounds_of_cloudflare() -> None:
    assert read_query(b"", [*PAGING, DIRECTION]) == {"page": 1, "per_page": 20, "direction": "asc"}

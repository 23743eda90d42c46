"""A query string has one reading, or none."""

import re

import pytest

from ads.networks import queries
from ads.networks.base import Fault, NetworkError

ANYTHING = {"a": queries.ANY, "b": queries.ANY}


def test_reads_escapes_and_pluses() -> None:
    read = queries.read("a=%E5%89%A7+x%3D&b=", required=ANYTHING)

    assert read == {"a": "剧 x=", "b": ""}


def test_reads_a_name_without_a_value() -> None:
    assert queries.read("b&a", required=ANYTHING) == {"a": "", "b": ""}


@pytest.mark.parametrize(
    "query",
    [
        *("a=%&b=1", "a=%f&b=1", "a=%zz&b=1", "a=100%&b=1", "%zz=1&a=1&b=1"),
        *("a=%ff&b=1", "a=%C0%80&b=1", "a=%ED%A0%80&b=1", "a=%F4%90%80%80&b=1"),
        *("a=é&b=1", "a= &b=1", "a=\x00&b=1", "a=\x7f&b=1", "a=\n&b=1", "a=\ud800&b=1"),
        *("a=1&a=1&b=1", "a=1&b=1&%61=1", "a=1&b=1&c=1", "a=1&b=1&", "&a=1&b=1", "a=1", ""),
    ],
    ids=repr,
)
def test_refuses_every_other_text(query: str) -> None:
    with pytest.raises(NetworkError) as refused:
        queries.read(query, required=ANYTHING)

    assert refused.value.fault is Fault.MALFORMED


def test_drops_what_it_was_not_asked_for_and_still_wants_it_whole() -> None:
    def read(query: str) -> object:
        return queries.read(query, required={"a": queries.NAME}, takes_others=True)

    assert read("x=%20&a=1&y") == {"a": "1"}
    for query in ("a=1&x=1&x=2", "a=1&x=%ff", "a=1&x=%", "x=1"):
        with pytest.raises(NetworkError):
            read(query)


def test_a_shape_is_of_the_whole_value() -> None:
    for value in ("1\n", "\n1", "12", " 1"):
        escaped = "".join(f"%{byte:02x}" for byte in value.encode())
        with pytest.raises(NetworkError, match="a is not"):
            queries.read(f"a={escaped}", required={"a": re.compile("1")})

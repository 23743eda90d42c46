"""Facts that do not hold end a journey, and so does a refusal that did not come."""

import pytest

from demo.facts import WrongFact, fact, refused
from demo.transport import Refused


def test_accepts_what_must_be() -> None:
    fact("the balance", 440, 440)


def test_names_what_was_wrong() -> None:
    with pytest.raises(WrongFact, match=r"^the balance: 441, must be 440$"):
        fact("the balance", 441, 440)


def test_returns_the_refusal_that_had_to_come() -> None:
    refusal = Refused(402, "insufficient_coins", {"shortfall_coins": 60})

    def call() -> None:
        raise refusal

    assert refused("the unlock", call, status=402, code="insufficient_coins") is refusal
    with pytest.raises(WrongFact, match="must be"):
        refused("the unlock", call, status=409, code="quote_invalid")


def test_misses_a_refusal_that_did_not_come() -> None:
    with pytest.raises(WrongFact, match="must be refused with 402 episode_locked"):
        refused("playing", lambda: "a URL", status=402, code="episode_locked")

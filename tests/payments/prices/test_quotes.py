"""A quote is honoured as it was made, or not at all."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import keyring, seals
from payments.prices import quotes
from payments.prices.pricing import Price

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
VIEWER = UUID("0195936e-0000-7000-8000-000000000001")
TERMS: dict[str, Any] = {
    "viewer_id": VIEWER,
    "environment": "production",
    "series_id": UUID("0195936e-0000-7000-8000-000000000002"),
    "numbering": 1,
    "price": Price(
        version_id=UUID("0195936e-0000-7000-8000-000000000003"),
        adjustment_ids=(UUID("0195936e-0000-7000-8000-000000000004"),),
        arm="price:b",
    ),
}


def token() -> str:
    return quotes.make(now=NOW, **TERMS).token()


def verify(quote: str, **changes: Any) -> quotes.Quote:
    asked = {"viewer_id": VIEWER, "environment": "production", "now": NOW} | changes
    return quotes.verify(quote, **asked)


def test_gives_back_what_was_promised() -> None:
    promise = verify(token())

    assert promise.price == TERMS["price"]


def test_holds_until_its_last_moment_and_not_beyond(settings: Any) -> None:
    end = NOW + timedelta(seconds=settings.QUOTE_SECONDS)

    verify(token(), now=end - timedelta(microseconds=1))
    with pytest.raises(quotes.QuoteExpired):
        verify(token(), now=end)


@pytest.mark.parametrize(
    "changes", [{"viewer_id": UUID(int=7)}, {"environment": "sandbox"}], ids=["viewer", "sandbox"]
)
def test_holds_for_nobody_and_nowhere_else(changes: dict[str, Any]) -> None:
    with pytest.raises(quotes.QuoteInvalid):
        verify(token(), **changes)


@given(place=st.integers(0, 10_000), replacement=st.characters())
def test_does_not_hold_with_any_character_changed(place: int, replacement: str) -> None:
    genuine = token()
    place %= len(genuine)
    altered = genuine[:place] + replacement + genuine[place + 1 :]
    if altered != genuine:
        with pytest.raises(quotes.QuoteInvalid):
            verify(altered)


@given(st.text(max_size=300))
def test_does_not_hold_when_made_up(text: str) -> None:
    with pytest.raises(quotes.QuoteInvalid):
        verify(text)


def test_does_not_hold_when_sealed_for_another_purpose() -> None:
    payload = seals.unseal("quote", token())

    with pytest.raises(quotes.QuoteInvalid):
        verify(seals.seal("playback", payload))


def test_holds_across_a_rotation_until_the_old_key_is_dropped(settings: Any) -> None:
    old, new = settings.KEYRING, keyring.generate("next")
    genuine = token()

    settings.KEYRING = f"{new},{old}"
    verify(genuine)
    assert ".next." in token()

    settings.KEYRING = new
    with pytest.raises(quotes.QuoteInvalid):
        verify(genuine)

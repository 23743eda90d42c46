"""A batch of impressions of another shape than the documented one is refused whole."""

from typing import Any
from uuid import uuid4

import msgspec
import pytest

from ads.shapes import ImpressionsRequest
from config import bodies
from config.problems import MalformedBody

GOOD: dict[str, Any] = {
    "impression_id": "imp-1",
    "network": "admob",
    "ad_unit_id": "ca-app-pub-1/22",
    "format": "rewarded",
    "revenue_micros": 12_345,
    "currency": "USD",
    "occurred_at": "2026-03-14T12:00:00Z",
    "ad_session_id": str(uuid4()),
}


def _read(*items: object) -> ImpressionsRequest:
    return bodies.decode(msgspec.json.encode({"impressions": items}), ImpressionsRequest)


def test_takes_what_is_documented() -> None:
    assert len(_read(*[GOOD] * 100).impressions) == 100
    assert _read(GOOD).impressions[0].country == ""


@pytest.mark.parametrize(
    "change",
    [
        {"revenue_micros": -1},
        {"revenue_micros": 0.5},
        {"revenue_micros": 10**12 + 1},
        {"revenue_micros": "5"},
        {"currency": "usd"},
        {"currency": "USD\n"},
        {"country": "USA"},
        {"network": "unknown"},
        {"format": "poster"},
        {"impression_id": ""},
        {"impression_id": "a b"},
        {"impression_id": "a\x00"},
        {"occurred_at": "2026-03-14T12:00:00"},
        {"occurred_at": 5},
        {"ad_session_id": "1"},
        {"coins": 5},
    ],
)
def test_refuses_what_is_not(change: dict[str, Any]) -> None:
    with pytest.raises(MalformedBody):
        _read(GOOD, GOOD | change)


@pytest.mark.parametrize("count", [0, 101])
def test_refuses_none_and_too_many(count: int) -> None:
    with pytest.raises(MalformedBody):
        _read(*[GOOD] * count)

"""AppLovin MAX's callback: its documented token, and what a template may not leave open."""

import hashlib
import json
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlencode

import pytest

from ads.networks.applovin import AppLovinAdapter, Token
from ads.networks.base import Fault, NetworkError, Part, SignedReward
from tests.ads.networks.cases import NOW, SESSION, UNIT, VIEWER

DOCUMENTED = json.loads(
    (Path(__file__).parents[1] / "payloads/applovin/event_token.json").read_text(encoding="utf-8")
)
KEY = DOCUMENTED["event_key"]
ALL, EVENT = (AppLovinAdapter(event_keys=[KEY], token=token) for token in Token)
VALUES = {
    "ad_unit_id": UNIT,
    "custom_data": SESSION,
    "event_id": DOCUMENTED["event_id"],
    "ts": "1773489600",
    "user_id": VIEWER,
}


def signed(values: dict[str, str]) -> str:
    text = "".join(values[name] for name in sorted(values)) + KEY
    return urlencode(values | {"event_token_all": hashlib.sha256(text.encode()).hexdigest()})


def read(adapter: AppLovinAdapter, query: str) -> SignedReward:
    return adapter.verify(query, {}, now=NOW)


def test_takes_the_token_of_the_documentation() -> None:
    query = urlencode(VALUES | {"event_token": DOCUMENTED["event_token"]})

    assert read(EVENT, query).transaction_id == DOCUMENTED["event_id"]


def test_the_short_token_covers_the_event_alone_and_the_long_one_everything() -> None:
    query = urlencode(VALUES | {"event_token": DOCUMENTED["event_token"]})

    assert read(EVENT, query.replace(VIEWER, "f" * 32)).user_id == "f" * 32
    assert EVENT.conduct.covered == {Part.TRANSACTION}
    with pytest.raises(NetworkError, match="does not match"):
        read(ALL, signed(VALUES).replace(VIEWER, "f" * 32))
    assert ALL.conduct.covered == set(Part)


def test_takes_neither_token_for_the_other() -> None:
    for adapter, query in (
        (ALL, urlencode(VALUES | {"event_token": DOCUMENTED["event_token"]})),
        (EVENT, signed(VALUES)),
        (ALL, signed(VALUES) + f"&event_token={DOCUMENTED['event_token']}"),
    ):
        with pytest.raises(NetworkError) as refused:
            read(adapter, query)
        assert refused.value.fault is Fault.MALFORMED


@pytest.mark.parametrize(
    ("ts", "moment"),
    [
        ("1773489600", datetime(2026, 3, 14, 12, 0, tzinfo=UTC)),
        ("1773489600250", datetime(2026, 3, 14, 12, 0, 0, 250_000, tzinfo=UTC)),
    ],
)
def test_reads_seconds_and_milliseconds(ts: str, moment: datetime) -> None:
    assert read(ALL, signed(VALUES | {"ts": ts})).watched_at == moment


@pytest.mark.parametrize(
    "changed",
    [
        {"custom_data": SESSION + "a"},
        {"custom_data": SESSION[:-1]},
        {"custom_data": ""},
        {"custom_data": SESSION.upper()},
        {"user_id": "viewer"},
        {"ts": "177348960"},
        {"ts": "17734896001"},
        {"event_id": DOCUMENTED["event_id"] + "0"},
        {"ad_unit_id": UNIT[1:]},
        {"amount": "1"},
        {"placement": "paywall"},
        {"idfa": "00000000-0000-0000-0000-000000000000"},
    ],
    ids=str,
)
def test_refuses_a_template_that_would_leave_two_readings(changed: dict[str, str]) -> None:
    """Values are signed without separators: these are signed, too."""
    with pytest.raises(NetworkError) as refused:
        read(ALL, signed(VALUES | changed))

    assert refused.value.fault is Fault.MALFORMED


def test_divides_a_signed_text_in_one_way_only() -> None:
    """Every other division of the same digits into the same parameters is refused."""
    query = signed(VALUES)
    token = query.rpartition("=")[2]
    text = "".join(VALUES[name] for name in sorted(VALUES))
    ends = [16, 48, 88, 98, 130]
    for shift in range(-3, 4):
        for moved in range(4):
            cuts = [
                0,
                *(end + shift * (place >= moved) for place, end in enumerate(ends[:-1])),
                130,
            ]
            parts = [text[a:b] for a, b in pairwise(cuts)]
            other = dict(zip(sorted(VALUES), parts, strict=True))
            divided = urlencode(other | {"event_token_all": token})
            if divided != query:
                with pytest.raises(NetworkError) as refused:
                    read(ALL, divided)
                assert refused.value.fault is Fault.MALFORMED


@pytest.mark.parametrize("keys", [[], [""], ["a", ""]])
def test_believes_nobody_without_a_key(keys: list[str]) -> None:
    with pytest.raises(ValueError, match="no secret"):
        AppLovinAdapter(event_keys=keys)

"""An impression is believed of AppLovin's server, if its token is that of the account's event key."""

import hashlib
from urllib.parse import urlencode

import pytest

from ads.networks.base import Fault, NetworkError
from ads.networks.impressions import AppLovinImpressions

EVENT = "a" * 40
VIEWER = "0199ffeeddcc7bbbaaaa999988887777"
ADAPTER = AppLovinImpressions(event_keys=["old", "new"], address_secret="elsewhere")


def query(*, key: str = "new", **changes: str) -> str:
    said = {
        "ad_unit_id": "9ad0816ac071552a",
        "cc": "us",
        "event_id": EVENT,
        "format": "REWARDED",
        "precision": "exact",
        "revenue": "0.0123456",
        "ts": "1773489600",
        "user_id": VIEWER,
    } | changes
    token = hashlib.sha1(said["event_id"].encode() + key.encode()).hexdigest()  # noqa: S324
    return urlencode({"event_token": token} | said)


@pytest.mark.parametrize("key", ["old", "new"])
def test_reads_an_impression_that_is_signed_with_either_key(key: str) -> None:
    told = ADAPTER.read(query(key=key))

    assert (told.impression_id, told.user_id, told.country) == (EVENT, VIEWER, "US")
    assert (told.format, told.precision, told.revenue_micros) == ("rewarded", "precise", 12_346)
    assert told.occurred_at.isoformat() == "2026-03-14T12:00:00+00:00"


def test_reads_small_amounts_and_words_that_it_does_not_know() -> None:
    told = ADAPTER.read(query(revenue="2.5E-6", format="XPROMO", precision="", user_id="", cc=""))

    assert (told.revenue_micros, told.format, told.precision, told.user_id) == (
        2,
        "other",
        "unknown",
        "",
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"revenue": "-1"},
        {"revenue": "NaN"},
        {"revenue": "1e9"},
        {"ts": "now"},
        {"event_id": "b"},
        {"user_id": "somebody"},
        {"cc": "USA"},
        {"more": "1"},
    ],
)
def test_refuses_what_applovin_does_not_send(changes: dict[str, str]) -> None:
    with pytest.raises(NetworkError) as refused:
        ADAPTER.read(query(**changes))
    assert refused.value.fault is Fault.MALFORMED


def test_refuses_another_key_and_another_event_under_the_token() -> None:
    for forged in (query(key="theirs"), query().replace(EVENT, "b" * 40)):
        with pytest.raises(NetworkError) as refused:
            ADAPTER.read(forged)
        assert refused.value.fault is Fault.FORGED

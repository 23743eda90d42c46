"""Unity LevelPlay's callback: what MD5 joins without separators, and what it leaves out."""

import hashlib
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from ads.networks.base import Fault, NetworkError, SignedReward
from ads.networks.levelplay import LevelPlayAdapter
from tests.ads.networks.cases import NOW, OTHERS_SESSION, SESSION, VIEWER

KEY = "a private key"
ADAPTER = LevelPlayAdapter(private_keys=["the next one", KEY])
VALUES = {
    "userId": VIEWER,
    "rewards": "1",
    "eventId": "7f7a1c35-0001",
    "timestamp": "202603141200",
}


def signed(values: dict[str, str], **unsigned: str) -> str:
    text = "".join(values[name] for name in ("timestamp", "eventId", "userId", "rewards")) + KEY
    signature = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    return urlencode({**values, "signature": signature, **unsigned})


def read(query: str) -> SignedReward:
    return ADAPTER.verify(query, {}, now=NOW)


def test_reads_what_is_signed_and_the_session_beside_it() -> None:
    assert read(signed(VALUES, dynamicUserId=SESSION, adNetwork="Vungle")) == SignedReward(
        transaction_id="7f7a1c35-0001",
        ad_unit=None,
        custom_data=SESSION,
        user_id=VIEWER,
        is_probe=False,
        watched_at=datetime(2026, 3, 14, 12, 0, tzinfo=UTC),
    )


def test_the_session_is_the_apps_word_and_the_viewer_is_not() -> None:
    query = signed(VALUES, dynamicUserId=SESSION)

    assert read(query.replace(SESSION, OTHERS_SESSION)).custom_data == OTHERS_SESSION
    with pytest.raises(NetworkError, match="does not match"):
        read(query.replace(VIEWER, "f" * 32))


@pytest.mark.parametrize("unsigned", [{}, {"dynamicUserId": ""}], ids=str)
def test_has_no_session_when_the_app_set_none(unsigned: dict[str, str]) -> None:
    assert read(signed(VALUES, **unsigned)).custom_data == ""


def test_knows_the_consoles_test_by_its_user() -> None:
    reward = read(signed(VALUES | {"userId": "probe"}, dynamicUserId=SESSION))

    assert reward.is_probe
    assert reward.custom_data == ""
    reply = ADAPTER.reply(reward, verdict="probe", is_paid=False)
    assert (reply.status, reply.body) == (200, b"7f7a1c35-0001:OK")


@pytest.mark.parametrize(
    "changed",
    [
        {"userId": "somebody"},
        {"userId": VIEWER + "a"},
        {"userId": ""},
        {"rewards": "10"},
        {"rewards": "2"},
        {"rewards": ""},
        {"eventId": ""},
        {"eventId": "a" * 101},
        {"eventId": "a b"},
        {"eventId": "a:OK\n"},
        {"timestamp": "20260314120"},
        {"timestamp": "2026031412000"},
        {"timestamp": "202613141200"},
        {"timestamp": "202603141260"},
    ],
    ids=str,
)
def test_refuses_what_is_signed_and_would_leave_two_readings(changed: dict[str, str]) -> None:
    with pytest.raises(NetworkError) as refused:
        read(signed(VALUES | changed))

    assert refused.value.fault is Fault.MALFORMED


def test_divides_a_signed_text_in_one_way_only() -> None:
    """Characters that pass from the event to the user, from there to the rewards, and back."""
    values = VALUES | {"eventId": "12345678901"}
    signature = signed(values).rpartition("=")[2]
    text = "".join(values[name] for name in ("timestamp", "eventId", "userId", "rewards"))
    for first in range(10, 15):
        for second in range(first + 8, first + 15):
            for third in range(len(text) - 4, len(text) + 1):
                parts = text[:first], text[first:second], text[second:third], text[third:]
                other = dict(zip(("timestamp", "eventId", "userId", "rewards"), parts, strict=True))
                if other != values:
                    with pytest.raises(NetworkError) as refused:
                        read(urlencode(other | {"signature": signature}))
                    assert refused.value.fault is Fault.MALFORMED


@pytest.mark.parametrize("keys", [[], [""]])
def test_believes_nobody_without_a_key(keys: list[str]) -> None:
    with pytest.raises(ValueError, match="no secret"):
        LevelPlayAdapter(private_keys=keys)

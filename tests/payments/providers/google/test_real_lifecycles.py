"""Real subscriptions, as Google told of them and answered: whoever watches is let in when Google says so.

The pairs are read where they are, never copied: without them these tests say that they are skipped.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from payments.providers.base import SubscriptionSnapshot
from tests.payments.providers.google.play import Play, data, push

FILE = (
    Path(__file__).parents[5]
    / "shared/vectors/local_only/google_play/rtdn_and_subscriptionsv2_real_sandbox.json"
)
PAIRS = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else []
needs_pairs = pytest.mark.skipif(not PAIRS, reason=f"{FILE} is not there")

#: For each pair: Google's word, whether it is open at the moment of the notification, and the end of its paid
#: order's id: "" is the first order, "0" the first renewal.
STEPS = [
    *[("PURCHASED", True, ""), ("CANCELED", True, ""), ("RESTARTED", True, "")],
    ("REVOKED", False, ""),
    *[("PURCHASED", True, ""), ("IN_GRACE_PERIOD", True, ""), ("RENEWED", True, "0")],
    *[("CANCELED", True, "0"), ("EXPIRED", False, "0")],
    *[("PURCHASED", True, ""), ("RENEWED", True, "0"), ("RENEWED", True, "1")],
    *[("CANCELED", True, "1"), ("EXPIRED", False, "1")],
    *[("PURCHASED", True, ""), ("IN_GRACE_PERIOD", True, ""), ("ON_HOLD", False, "")],
    *[("CANCELED", False, ""), ("EXPIRED", False, "")],
    *[("PURCHASED", True, ""), ("IN_GRACE_PERIOD", True, "")],
    *[("CANCELED", False, ""), ("EXPIRED", False, "")],
    *[("PURCHASED", True, ""), ("IN_GRACE_PERIOD", True, ""), ("ON_HOLD", False, "")],
    *[("CANCELED", False, ""), ("EXPIRED", False, "")],
    *[("PURCHASED", True, ""), ("IN_GRACE_PERIOD", True, ""), ("ON_HOLD", False, "")],
    ("RECOVERED", True, "0"),
    *[("PURCHASED", True, ""), ("EXPIRED", False, "")],
]


def told(pair: dict[str, Any]) -> tuple[str, SubscriptionSnapshot, datetime]:
    """The notification's word, what is read back, and the moment of it."""
    event, answer = pair["rtdn_event"], pair["subscriptionsv2"]
    token = event["subscriptionNotification"]["purchaseToken"]
    moment = datetime.fromtimestamp(int(event["eventTimeMillis"]) / 1000, UTC)
    google = Play(package_name=event["packageName"])
    root = f"/androidpublisher/v3/applications/{event['packageName']}/"
    google.answers[f"{root}purchases/subscriptionsv2/tokens/{token}"] = answer
    message = push(data(**event))

    word = google.adapter.read_message(message, now=NOW_OF_PUSH).type
    (fact,) = google.adapter.facts_of(message, now=moment)
    assert isinstance(fact, SubscriptionSnapshot)
    assert fact.subscription_id == token
    return word.removeprefix("subscriptionNotification.SUBSCRIPTION_"), fact, moment


NOW_OF_PUSH = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


@needs_pairs
def test_there_are_as_many_as_are_expected() -> None:
    assert len(PAIRS) == len(STEPS) == 34


@needs_pairs
@pytest.mark.parametrize("place", range(len(STEPS)))
def test_every_step_opens_what_it_should(place: int) -> None:
    word, snapshot, moment = told(PAIRS[place])
    is_open = snapshot.access_until is not None and snapshot.access_until > moment
    assert snapshot.period is not None
    _, _, renewal = snapshot.period.transaction_id.partition("..")

    assert (word, is_open, renewal) == STEPS[place]
    assert snapshot.environment == "sandbox"
    assert snapshot.account_token is None
    assert (snapshot.period.price_micros, snapshot.period.currency) == (16_990_000, "AUD")
    assert snapshot.period.starts_at < snapshot.period.ends_at
    assert snapshot.renews_as == (
        "" if word in {"CANCELED", "EXPIRED", "REVOKED"} else "session_pro"
    )


@needs_pairs
def test_every_payment_is_booked_once_over_a_lifecycle() -> None:
    paid = {
        snapshot.period.transaction_id for _, snapshot, _ in map(told, PAIRS) if snapshot.period
    }
    tokens = {snapshot.subscription_id for _, snapshot, _ in map(told, PAIRS)}

    assert len(tokens) == 8
    # Eight first periods, and four renewals.
    assert len(paid) == 12

"""What a notification says is named, dated and told of our app; what cannot be read is kept, not refused."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from payments.providers.base import Fault, Message, ProviderError
from payments.providers.google import notifications
from payments.providers.google.pubsub import read_envelope
from tests.payments.providers.google import play
from tests.payments.providers.google.play import NOW, PACKAGE, PAYLOADS, TOKEN, Play, data, push

ENVELOPES = json.loads((PAYLOADS / "pubsub_push_envelopes.json").read_text(encoding="utf-8"))


def read(content: bytes) -> Message:
    return Play().adapter.read_message(push(content), now=NOW)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            {"subscriptionNotification": {"notificationType": number, "purchaseToken": TOKEN}},
            f"subscriptionNotification.{word}",
        )
        for number, word in notifications.SUBSCRIPTION_TYPES.items()
    ]
    + [
        (
            {"subscriptionNotification": {"notificationType": 99, "purchaseToken": TOKEN}},
            "subscriptionNotification.99",
        ),
        (
            {"oneTimeProductNotification": {"notificationType": 1, "purchaseToken": TOKEN}},
            "oneTimeProductNotification.ONE_TIME_PRODUCT_PURCHASED",
        ),
        (
            {"oneTimeProductNotification": {"notificationType": 2, "purchaseToken": TOKEN}},
            "oneTimeProductNotification.ONE_TIME_PRODUCT_CANCELED",
        ),
        (
            {
                "voidedPurchaseNotification": {
                    "purchaseToken": TOKEN,
                    "orderId": "GPA.1",
                    "productType": 2,
                    "refundType": 1,
                }
            },
            "voidedPurchaseNotification.REFUND_TYPE_FULL_REFUND",
        ),
        (
            {"pendingRefundReviewNotification": {"pendingRefundToken": "t", "orderId": "GPA.1"}},
            "pendingRefundReviewNotification",
        ),
        ({"testNotification": {"version": "1.0"}}, "testNotification"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_names_what_it_knows_by_googles_words(content: dict[str, Any], expected: str) -> None:
    message = read(data(**content))

    assert message == Message(
        environment="production",
        event_id="136969346945",
        type=expected,
        occurred_at=NOW - timedelta(minutes=1),
        is_known=True,
    )


@pytest.mark.parametrize(
    "moment", [1_759_723_091_078, "1759723091078"], ids=["number", "string of a number"]
)
def test_takes_a_moment_in_either_spelling(moment: Any) -> None:
    message = read(data(eventTimeMillis=moment, testNotification={}))
    assert message.occurred_at == datetime(2025, 10, 6, 3, 58, 11, 78_000, UTC)


@pytest.mark.parametrize("moment", [0, -1, "0", 10**30, None], ids=repr)
def test_takes_the_moment_of_the_push_for_one_that_is_none(moment: Any) -> None:
    message = read(data(eventTimeMillis=moment, testNotification={}))
    assert message.occurred_at == datetime(2026, 11, 28, 11, 59, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (data(), "unknown"),
        (data(someNewNotification={"a": 1}), "unknown"),
        (data(testNotification={}, subscriptionNotification={"purchaseToken": "x"}), "unknown"),
        (data(subscriptionNotification={"notificationType": 4}), "unreadable"),
        (data(subscriptionNotification=[]), "unreadable"),
        (data(packageName=None), "unreadable"),
        (data(eventTimeMillis="soon"), "unreadable"),
        (b"[]", "unreadable"),
        (b"\xff\x00", "unreadable"),
        (b'{"packageName": ' + b"[" * 100_000, "unreadable"),
    ],
    ids=lambda value: repr(value)[-30:],
)
def test_keeps_what_it_cannot_read(content: bytes, expected: str) -> None:
    message = read(content)

    assert (message.is_known, message.type) == (False, expected)
    assert Play().adapter.facts_of(push(content), now=NOW) == ()


@pytest.mark.parametrize("encoded", ["", "!!!", "e30", "é", "e30=e30="])
def test_keeps_what_is_not_base64(encoded: str) -> None:
    body = {
        "message": {"messageId": "1", "data": encoded},
        "subscription": play.SUBSCRIPTION,
    }
    message = Play().adapter.read_message(
        play.RawMessage(push().headers, json.dumps(body).encode()), now=NOW
    )
    assert (message.is_known, message.occurred_at) == (False, NOW)


def test_refuses_what_is_of_another_app() -> None:
    with pytest.raises(ProviderError) as refused:
        read(data(packageName="com.other", testNotification={}))
    assert refused.value.fault is Fault.FOREIGN


def test_the_documented_sample_is_kept_though_its_data_is_not_json() -> None:
    envelope = ENVELOPES["docs_envelope_NOTE_data_is_not_valid_json"]
    google = Play(push_subscription=envelope["subscription"])
    message = google.adapter.read_message(push(**envelope), now=NOW)

    assert (message.event_id, message.is_known) == ("136969346945", False)
    decoded = base64.b64decode(envelope["message"]["data"])
    assert decoded.startswith(b'{ "version": string')


def test_the_emulators_sample_is_read_though_it_says_all_twice() -> None:
    envelope = ENVELOPES["emulator_push_body_camel_and_snake"]
    google = Play(push_subscription=envelope["subscription"], package_name="com.x")
    message = google.adapter.read_message(push(**envelope), now=NOW)

    assert message.event_id == "1"
    assert message.occurred_at == datetime(2026, 11, 23, 2, 45, 48, 889_000, UTC)
    assert (message.type, message.is_known) == ("unknown", False)


def test_the_emulators_sample_is_of_another_app_for_us() -> None:
    envelope = ENVELOPES["emulator_push_body_camel_and_snake"]
    read_envelope(json.dumps(envelope).encode())
    with pytest.raises(ProviderError) as refused:
        Play(push_subscription=envelope["subscription"]).adapter.read_message(
            push(**envelope), now=NOW
        )
    assert refused.value.fault is Fault.FOREIGN
    assert PACKAGE != "com.x"


def test_messages_are_filed_under_the_environment_that_is_given() -> None:
    assert Play(environment="sandbox").adapter.read_message(push(), now=NOW).environment == (
        "sandbox"
    )


def test_a_trial_stands_for_nothing_and_asks_nothing() -> None:
    google = Play()
    assert google.adapter.facts_of(push(), now=NOW) == ()
    assert google.asked == []


def test_pubsub_has_no_history() -> None:
    assert (
        list(
            Play().adapter.missed(
                environment="production", since=NOW - timedelta(days=1), until=NOW
            )
        )
        == []
    )

"""Google hears once, or again, that something was delivered, ends, or may be refunded."""

import json
from fractions import Fraction
from typing import Any

import httpx
import pytest

from payments.providers.base import (
    Answered,
    Asks,
    Fault,
    Listens,
    Owed,
    Polled,
    ProviderAdapter,
    ProviderError,
    RefundQuestion,
)
from tests.payments.providers.google import play
from tests.payments.providers.google.play import (
    NOW,
    TOKEN,
    Play,
    data,
    line,
    money,
    order_line,
    period,
    push,
    refusal,
)

ACKNOWLEDGE = f"purchases/products/coins_500/tokens/{TOKEN}:acknowledge"
CONSUME = f"purchases/products/coins_500/tokens/{TOKEN}:consume"
SUBSCRIBED = f"purchases/subscriptions/vip/tokens/{TOKEN}:acknowledge"
DONE = httpx.Response(204)


def acknowledge(google: Play, *, is_subscription: bool = False, name: str = TOKEN) -> None:
    product = "vip" if is_subscription else "coins_500"
    google.adapter.acknowledge(store_product_id=product, name=name, is_subscription=is_subscription)


def consume(google: Play, name: str = TOKEN) -> None:
    google.adapter.consume(store_product_id="coins_500", transaction_id=name)


def said(google: Play) -> tuple[str, str, Any]:
    (request,) = google.asked
    path = request.url.path.removeprefix(f"/androidpublisher/v3/applications/{play.PACKAGE}/")
    return request.method, path, json.loads(request.content) if request.content else None


@pytest.mark.parametrize(
    "answer", [httpx.Response(204), httpx.Response(200, json={})], ids=[204, 200]
)
def test_acknowledges(answer: httpx.Response) -> None:
    google = Play()
    google.answers[ACKNOWLEDGE] = answer
    acknowledge(google)
    assert said(google) == ("POST", ACKNOWLEDGE, {})


def test_acknowledges_a_subscription() -> None:
    google = Play()
    google.answers[SUBSCRIBED] = DONE
    acknowledge(google, is_subscription=True)
    assert said(google) == ("POST", SUBSCRIBED, {})


def test_consumes() -> None:
    google = Play()
    google.answers[CONSUME] = DONE
    consume(google)
    assert said(google) == ("POST", CONSUME, None)


def test_a_line_is_acknowledged_and_consumed_by_its_token() -> None:
    google = Play()
    google.answers |= {ACKNOWLEDGE: DONE, CONSUME: DONE}
    acknowledge(google, name=f"{TOKEN}#coins_500")
    consume(google, f"{TOKEN}#coins_500")
    assert len(google.asked) == 2


@pytest.mark.parametrize("status", [400, 404, 410])
def test_what_is_done_already_is_done(status: int) -> None:
    google = Play()
    google.answers |= {name: refusal(status) for name in (ACKNOWLEDGE, CONSUME, SUBSCRIBED)}
    consumed = line(consumptionState="CONSUMPTION_STATE_CONSUMED")
    acknowledged = "ACKNOWLEDGEMENT_STATE_ACKNOWLEDGED"
    google.has_product(acknowledgementState=acknowledged, productLineItem=[consumed])
    google.has_subscription(acknowledgementState=acknowledged)

    consume(google)
    acknowledge(google)
    acknowledge(google, is_subscription=True)


def test_what_went_back_before_google_heard_is_owed_no_more() -> None:
    google = Play()
    google.answers[CONSUME] = refusal(400)
    google.has_product(purchaseStateContext={"purchaseState": "CANCELLED"})
    consume(google)


@pytest.mark.parametrize("tell", [acknowledge, consume])
def test_what_google_refuses_and_is_not_done_is_refused(tell: Any) -> None:
    google = Play()
    google.answers |= {ACKNOWLEDGE: refusal(400), CONSUME: refusal(400)}
    google.has_product()
    with pytest.raises(ProviderError) as refused:
        tell(google)
    assert refused.value.fault is Fault.MALFORMED


@pytest.mark.parametrize("tell", [acknowledge, consume])
@pytest.mark.parametrize(
    "answer", [refusal(500), refusal(409), httpx.Response(200, text="<html>"), httpx.Response(201)]
)
def test_what_may_not_have_been_heard_is_said_again(tell: Any, answer: httpx.Response) -> None:
    google = Play()
    google.answers |= {ACKNOWLEDGE: answer, CONSUME: answer}
    with pytest.raises(ProviderError) as unheard:
        tell(google)
    assert unheard.value.fault is Fault.UNAVAILABLE


@pytest.mark.parametrize("name", ["", "..", "a/b", f"{TOKEN}:consume", "a b"])
def test_tells_nothing_of_what_is_no_token(name: str) -> None:
    google = Play()
    for tell in (lambda: acknowledge(google, name=name), lambda: consume(google, name)):
        with pytest.raises(ProviderError) as refused:
            tell()
        assert refused.value.fault is Fault.MALFORMED
    assert google.asked == []


@pytest.mark.parametrize(
    ("by_viewer", "kind"),
    [(True, "USER_REQUESTED_STOP_RENEWALS"), (False, "DEVELOPER_REQUESTED_STOP_PAYMENTS")],
)
def test_cancels(by_viewer: bool, kind: str) -> None:
    google = Play()
    path = f"purchases/subscriptionsv2/tokens/{TOKEN}:cancel"
    google.answers[path] = {}
    google.adapter.api.cancel_subscription(TOKEN, as_asked_by_viewer=by_viewer)
    assert said(google) == ("POST", path, {"cancellationContext": {"cancellationType": kind}})


@pytest.mark.parametrize(("prorated", "kind"), [(True, "proratedRefund"), (False, "fullRefund")])
def test_revokes(prorated: bool, kind: str) -> None:
    google = Play()
    path = f"purchases/subscriptionsv2/tokens/{TOKEN}:revoke"
    google.answers[path] = {}
    google.adapter.api.revoke_subscription(TOKEN, prorated=prorated)
    assert said(google) == ("POST", path, {"revocationContext": {kind: {}}})


def question(google: Play, order_id: str) -> RefundQuestion:
    notification = {
        "version": "1.0",
        "pendingRefundToken": "refund-token",
        "orderId": order_id,
        "refundReason": 5,
    }
    content = data(pendingRefundReviewNotification=notification)
    (fact,) = google.adapter.facts_of(push(content), now=NOW)
    assert isinstance(fact, RefundQuestion)
    return fact


@pytest.mark.parametrize("environment", ["production", "sandbox"])
def test_a_question_names_the_transaction_that_it_is_about(environment: str) -> None:
    google = Play()
    context = {"fopType": "TEST"} if environment == "sandbox" else None
    google.has_product(testPurchaseContext=context)
    google.has_order()
    asked = question(google, "GPA.1111-2222-3333-44444")

    assert (asked.environment, asked.transaction_id, asked.reason) == (environment, TOKEN, "5")
    assert asked.asked_at < NOW


@pytest.mark.parametrize("environment", ["production", "sandbox"])
def test_a_question_about_a_subscription_names_the_order(environment: str) -> None:
    google = Play()
    google.has_subscription(testPurchase={} if environment == "sandbox" else None)
    order_id = "GPA.5555-6666-7777-88888"
    google.has_order(orderId=order_id, lineItems=[order_line("vip", total=money("18"), **period())])
    asked = question(google, order_id)
    assert (asked.environment, asked.transaction_id) == (environment, order_id)


@pytest.mark.parametrize("is_subscription", [True, False])
def test_a_question_about_what_is_gone_is_answered_for_its_order(is_subscription: bool) -> None:
    google = Play()
    one = order_line("vip", **period()) if is_subscription else order_line()
    google.has_order(orderId="GPA.1", lineItems=[one])
    assert question(google, "GPA.1").transaction_id == ("GPA.1" if is_subscription else TOKEN)


def test_a_question_about_an_unknown_order_is_gone() -> None:
    with pytest.raises(ProviderError) as gone:
        question(Play(), "GPA.1")
    assert gone.value.fault is Fault.GONE


@pytest.mark.parametrize(
    ("parts", "milliunits"), [(None, None), (0, 0), (452_000, 45_200), (1_000_000, 100_000), (9, 0)]
)
def test_a_question_is_answered_where_it_was_asked(
    parts: int | None, milliunits: int | None
) -> None:
    google = Play()
    google.has_product()
    google.has_order()
    asked = question(google, "GPA.1111-2222-3333-44444")
    google.asked.clear()
    path = "orders/GPA.1111-2222-3333-44444:reviewrefund"
    google.answers[path] = DONE
    google.adapter.answer_refund_question(
        question_id=asked.question_id,
        preference="DECLINE",
        sample_content_provided=True,
        consumed_parts_per_million=parts,
    )
    expected: dict[str, Any] = {
        "pendingRefundToken": "refund-token",
        "refundPreference": "DECLINE",
        "sampleContentProvided": True,
    }
    if milliunits is not None:
        expected["consumptionPercentageMilliunits"] = milliunits
    assert said(google) == ("POST", path, expected)


@pytest.mark.parametrize(
    "wrong",
    [
        {"question_id": "GPA.1"},
        {"question_id": "GPA.1 "},
        {"question_id": "../x token"},
        {"preference": "decline"},
        {"preference": ""},
        {"consumed_parts_per_million": -1},
        {"consumed_parts_per_million": 1_000_001},
    ],
    ids=repr,
)
def test_no_other_answer_is_given(wrong: dict[str, Any]) -> None:
    google = Play()
    given = {
        "question_id": "GPA.1 token",
        "preference": "NEUTRAL",
        "sample_content_provided": False,
        "consumed_parts_per_million": None,
    }
    with pytest.raises(ProviderError) as refused:
        google.adapter.answer_refund_question(**(given | wrong))
    assert refused.value.fault is Fault.MALFORMED
    assert google.asked == []


def test_is_what_the_domain_takes_for_such_a_store() -> None:
    adapter: ProviderAdapter = Play().adapter
    assert isinstance(adapter, Listens)
    assert isinstance(adapter, Asks)
    assert isinstance(adapter, Polled)


@pytest.mark.parametrize(
    ("owed", "product", "path"),
    [(Owed.CONSUME, "coins_500", CONSUME), (Owed.ACKNOWLEDGE, "vip", SUBSCRIBED)],
)
def test_tells_what_is_owed(owed: Owed, product: str, path: str) -> None:
    google = Play()
    google.answers[path] = DONE
    google.adapter.delivered(
        environment="production", subject=TOKEN, store_product_id=product, owed=owed
    )
    assert said(google)[1] == path


@pytest.mark.parametrize(
    ("is_consented", "is_delivered", "share", "expected"),
    [
        (True, True, Fraction(1, 3), ("NEUTRAL", 33_333)),
        (True, True, Fraction(1), ("NEUTRAL", 100_000)),
        (True, True, None, ("NEUTRAL", None)),
        (False, True, Fraction(1, 3), ("NEUTRAL", None)),
        (False, False, None, ("NEUTRAL", None)),
    ],
)
def test_answers_no_more_than_the_buyer_consents_to(
    is_consented: bool, is_delivered: bool, share: Fraction | None, expected: Any
) -> None:
    google = Play()
    google.has_product()
    google.has_order()
    asked = question(google, "GPA.1111-2222-3333-44444")
    google.asked.clear()
    google.answers["orders/GPA.1111-2222-3333-44444:reviewrefund"] = DONE
    google.adapter.answer(
        Answered(
            question=asked,
            is_consented=is_consented,
            is_delivered=is_delivered,
            consumed_share=share,
        )
    )
    _, _, body = said(google)
    assert (body["refundPreference"], body.get("consumptionPercentageMilliunits")) == expected

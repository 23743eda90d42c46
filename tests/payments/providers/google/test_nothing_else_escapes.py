"""Whatever bytes come in, from whomever: facts, or a ProviderError, and nothing else."""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from payments.providers.base import ProviderError, RawMessage
from tests.payments.providers.google import play
from tests.payments.providers.google.play import KEY, NOW, SUBSCRIPTION, TOKEN, Play, data, push
from tests.proof import Proof

WORDS = st.sampled_from(
    [
        *("ACTIVE", "SUBSCRIPTION_STATE_ACTIVE", "SUBSCRIPTION_STATE_EXPIRED", "PURCHASED", TOKEN),
        *("CANCELLED", "PENDING", "GPA.1", "GPA.1111-2222-3333-44444..3", "2026-11-28T11:00:00Z"),
        *("9999-12-31T23:59:59.999999999Z", "0001-01-01T00:00:00+23:59", "", "AUD", "\x00", "é"),
        *("\ud800", "REFUNDED", "PROCESSED_SUCCESSFULLY", "CHARGEBACK", "..", "1" * 40),
    ]
)
NUMBERS = st.sampled_from([0, 1, 2, 3, -1, 10**6, 2**31, 2**63, 10**400, 0.5, 1e300, True])
LEAVES = st.none() | NUMBERS | WORDS | st.text(max_size=5)


@st.composite
def spoiled(draw: st.DrawFn, value: Any) -> Any:
    """A value of Google's in which up to four members, however deep, are lost, changed or there twice."""
    made = json.loads(json.dumps({"": value}))
    for _ in range(draw(st.integers(0, 4))):
        holder, name = draw(st.sampled_from(list(_places(made))))
        if isinstance(holder, list) and draw(st.booleans()):
            holder.append(json.loads(json.dumps(holder[name])))
        elif name != "" and draw(st.booleans()):
            del holder[name]
        else:
            holder[name] = draw(LEAVES)
    return made[""]


def _places(holder: Any) -> Iterator[tuple[Any, Any]]:
    for name in list(holder) if isinstance(holder, dict) else range(len(holder)):
        yield holder, name
        if isinstance(holder[name], dict | list):
            yield from _places(holder[name])


EVENT = {"eventTime": "2026-11-28T09:00:00Z", "refundReason": "CHARGEBACK"}
PART = {
    "createTime": "2026-11-28T09:00:00Z",
    "state": "PROCESSED_SUCCESSFULLY",
    "refundDetails": {"total": play.money("1")},
}
PRODUCT = play.product(
    productLineItem=[play.line(refundableQuantity=1)], testPurchaseContext={"fopType": "TEST"}
)
ORDER_ID = "GPA.1111-2222-3333-44444"
LINE = play.subscription_line(
    latestSuccessfulOrderId=ORDER_ID,
    deferredItemReplacement={"productId": "vip_year"},
    deferredItemRemoval={},
)
LINE["autoRenewingPlan"] |= {
    "priceChangeDetails": {"priceChangeMode": "PRICE_INCREASE", "priceChangeState": "OUTSTANDING"},
    "priceStepUpConsentDetails": {"state": "PENDING"},
}
SUBSCRIBED = play.subscription(
    lineItems=[LINE],
    linkedPurchaseToken=TOKEN,
    testPurchase={},
    outOfAppPurchaseContext={"expiredExternalAccountIdentifiers": {}},
)
ORDER = play.order(
    lineItems=[play.order_line(), play.order_line("vip", **play.period())],
    orderHistory={"refundEvent": EVENT, "partialRefundEvents": [PART], "processedEvent": EVENT},
)
VOIDED = {
    "voidedPurchases": [
        {
            "purchaseToken": TOKEN,
            "orderId": ORDER_ID,
            "voidedTimeMillis": "1764316800000",
            "voidedReason": 1,
            "voidedQuantity": 1,
        }
    ],
    "tokenPagination": {"nextPageToken": "2"},
}
EVERY = {"version": "1.0", "packageName": play.PACKAGE, "eventTimeMillis": "1764316800000"}
NOTIFICATIONS: dict[str, Any] = {
    "subscriptionNotification": {"notificationType": 2, "purchaseToken": TOKEN},
    "oneTimeProductNotification": {"notificationType": 1, "purchaseToken": TOKEN},
    "voidedPurchaseNotification": {
        "purchaseToken": TOKEN,
        "orderId": ORDER_ID,
        "productType": 1,
        "refundType": 2,
    },
    "pendingRefundReviewNotification": {
        "pendingRefundToken": "t",
        "orderId": ORDER_ID,
        "refundReason": "other",
    },
    "testNotification": {"version": "1.0"},
}
STATUSES = st.sampled_from([200, 200, 200, 200, 204, 301, 400, 401, 404, 410, 429, 500])


class Anything(Play):
    """Answers every question about a kind of thing with the same bytes, whatever they are."""

    def __init__(self) -> None:
        super().__init__()
        self.said: dict[str, tuple[int, bytes]] = {}

    def say(self, *answers: tuple[int, bytes]) -> None:
        kinds = ("productsv2", "subscriptionsv2", "orders", "voidedpurchases")
        self.said = dict(zip(kinds, answers, strict=True))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        for kind, (status, body) in self.said.items():
            if f"/{kind}" in request.url.path:
                return httpx.Response(status, content=body)
        return super()._answer(request)


GOOGLE = Anything()


def explore(proof: Proof, judge: Callable[..., None], *strategies: Any, full: int) -> None:
    """A hundredth of it in the suite."""
    count = full if proof.is_full else full // 100
    proof.count = count
    settings(max_examples=count, deadline=None, database=None)(given(*strategies)(judge))()


@dataclass
class Outcomes:
    """How often an answer came: one that never does proves nothing."""

    answers: int = 0

    def of(self, ask: Callable[[], Any]) -> None:
        with contextlib.suppress(ProviderError):
            ask()
            self.answers += 1


def written(value: Any) -> bytes:
    return json.dumps(value).encode()


HINTS = [
    play.hint(),
    push(data(oneTimeProductNotification=NOTIFICATIONS["oneTimeProductNotification"])),
    push(data(voidedPurchaseNotification=NOTIFICATIONS["voidedPurchaseNotification"])),
    push(data(pendingRefundReviewNotification=NOTIFICATIONS["pendingRefundReviewNotification"])),
]


def test_of_whatever_google_answers(proof: Proof) -> None:
    found = Outcomes()

    def judge(product: Any, subscribed: Any, order: Any, voided: Any, status: int) -> None:
        GOOGLE.say(
            (200, written(product)),
            (200, written(subscribed)),
            (status, written(order)),
            (200, written(voided)),
        )
        for hint in HINTS:
            found.of(lambda hint=hint: GOOGLE.adapter.facts_of(hint, now=NOW))
        since = NOW - timedelta(days=1)
        found.of(lambda: list(GOOGLE.adapter.voided(since=since, until=NOW, now=NOW)))

    explore(
        proof,
        judge,
        *(spoiled(PRODUCT), spoiled(SUBSCRIBED), spoiled(ORDER), spoiled(VOIDED), STATUSES),
        full=5_000,
    )
    assert found.answers > proof.count // 100
    proof.record("P11", "anything for Google Play's answers", violations=0)


def test_of_whatever_bytes_google_answers(proof: Proof) -> None:
    found = Outcomes()

    def judge(status: int, body: bytes) -> None:
        GOOGLE.say(*[(status, body)] * 4)
        for hint in HINTS:
            found.of(lambda hint=hint: GOOGLE.adapter.facts_of(hint, now=NOW))

    explore(proof, judge, STATUSES, st.binary(), full=5_000)
    proof.record("P11", "any bytes for Google Play's answers", violations=0)


def test_of_whatever_is_pushed(proof: Proof) -> None:
    found = Outcomes()
    headers = push().headers
    GOOGLE.say(*[(404, b'{"error": {}}')] * 4)

    def judge(content: Any, envelope: Any, raw: bytes) -> None:
        whole = json.loads(push(written(content)).body)
        for body in (written(whole), written(whole | envelope), raw):
            message = RawMessage(headers, body)
            found.of(lambda m=message: GOOGLE.adapter.read_message(m, now=NOW))
            found.of(lambda m=message: GOOGLE.adapter.facts_of(m, now=NOW))

    message = {"data": "e30=", "messageId": "1", "publishTime": "2026-11-28T11:00:00Z"}
    envelope = st.fixed_dictionaries(
        {}, optional={"message": spoiled(message), "subscription": st.just(SUBSCRIPTION) | LEAVES}
    )
    notification = st.sampled_from(list(NOTIFICATIONS)).flatmap(
        lambda kind: spoiled({**EVERY, kind: NOTIFICATIONS[kind]})
    )
    explore(proof, judge, notification, envelope, st.binary(), full=5_000)
    assert found.answers > proof.count // 100
    proof.record("P11", "anything pushed as a notification of Google Play", violations=0)


def test_of_whatever_a_token_says(proof: Proof) -> None:
    found = Outcomes()

    def judge(header: Any, claims: Any, text: str) -> None:
        names = header if isinstance(header, dict) else {}
        try:
            signed = play.jwt.api_jws.encode(written(claims), KEY, "RS256", headers=names)
        except (play.jwt.PyJWTError, TypeError, ValueError, NotImplementedError):
            signed = text
        for token in (signed, text):
            message = push(token=token)
            found.of(lambda m=message: GOOGLE.adapter.read_message(m, now=NOW))

    header = {"kid": "1", "typ": "JWT", "x": ["b64"]}
    explore(proof, judge, spoiled(header), spoiled(play.claims()), st.text(), full=5_000)
    assert found.answers > proof.count // 100
    proof.record("P11", "anything for a push's token", violations=0)


def test_of_whatever_is_handed_in(proof: Proof) -> None:
    found = Outcomes()
    GOOGLE.say(
        *[(200, written(SUBSCRIBED)), (200, written(SUBSCRIBED)), (200, written(ORDER))], (404, b"")
    )
    honest = {"product_id": "vip", "purchase_token": TOKEN, "is_subscription": True}

    def judge(value: Any, text: str) -> None:
        for handed_in in (json.dumps(value), text):
            found.of(lambda h=handed_in: GOOGLE.adapter.submitted(h, now=NOW))

    explore(proof, judge, spoiled(honest), st.text(), full=5_000)
    assert found.answers > proof.count // 100
    proof.record("P11", "anything handed in as a purchase of Google Play", violations=0)


def test_of_whatever_is_a_key_document(proof: Proof) -> None:
    found = Outcomes()

    def judge(document: Any, raw: bytes) -> None:
        for body in (written(document), raw):
            google = Play()
            google.documents = lambda _, body=body: httpx.Response(200, content=body)
            found.of(lambda g=google: g.adapter.read_message(push(), now=NOW))

    explore(proof, judge, spoiled(play.jwks(KEY)), st.binary(), full=5_000)
    assert found.answers > proof.count // 100
    proof.record("P11", "anything for Google's key document", violations=0)

"""The App Store is asked as it documents, and whatever it answers is facts or a fault of the right kind."""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from fractions import Fraction
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from payments.providers.apple.adapter import AppleAdapter, Delivery, Preference
from payments.providers.apple.api import MAXIMUM_BYTES, MAXIMUM_PAGES, AppStoreApi
from payments.providers.base import (
    Fault,
    ProviderError,
    RefundQuestion,
    State,
    StoreRefund,
    StoreTransaction,
    SubscriptionSnapshot,
)
from tests.payments.providers.apple.pieces import (
    BUNDLE,
    KEY,
    NOW,
    PAYLOADS,
    STORE,
    adapter,
    milliseconds,
    notification,
    period,
    refusal,
    renewal,
    settings,
    transaction,
    unreachable,
)

ID = "2000000000000001"
QUESTION = RefundQuestion(
    environment="production",
    transaction_id=ID,
    question_id="1",
    asked_at=NOW,
    reason="UNINTENDED_PURCHASE",
)
NOT_FOUND = {"errorCode": 4040010, "errorMessage": "Transaction id not found."}


class Asked:
    """A store that answers in turn, the last for good, and what it was asked."""

    def __init__(self, *answers: httpx.Response | Callable[[httpx.Request], httpx.Response]):
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer if isinstance(answer, httpx.Response) else answer(request)

    @property
    def addresses(self) -> Sequence[str]:
        return [f"{one.method} {one.url}" for one in self.requests]


def answer(status: int, body: Any, **headers: str) -> httpx.Response:
    return httpx.Response(
        status, json=body, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


def told(payload: dict[str, Any]) -> httpx.Response:
    return answer(200, {"signedTransactionInfo": STORE.sign(payload)})


def statuses(*lasts: dict[str, Any]) -> httpx.Response:
    return answer(200, {"data": [{"lastTransactions": list(lasts)}]})


def last(status: int = 1, **changed: Any) -> dict[str, Any]:
    return {
        "originalTransactionId": ID,
        "status": status,
        "signedTransactionInfo": STORE.sign(period(**changed)),
        "signedRenewalInfo": STORE.sign(renewal()),
    }


def ask(store: Asked, **changed: Any) -> Any:
    return adapter(settings(**changed), store).transaction(ID, now=NOW)


def test_asks_with_a_token_that_only_our_key_makes() -> None:
    store = Asked(told(transaction()))
    ask(store)

    (request,) = store.requests
    token = request.headers["Authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, KEY.public_key(), ["ES256"], audience="appstoreconnect-v1")
    assert jwt.get_unverified_header(token) == {
        "alg": "ES256",
        "kid": "2X9R4HXF34",
        "typ": "JWT",
    }
    assert claims["iss"] == "57246542-96fe-1a63-e053-0824d011072a"
    assert claims["bid"] == BUNDLE
    assert claims["exp"] - claims["iat"] == 300


@pytest.mark.parametrize("kind", ["none", "rsa", "p384"])
def test_is_not_built_with_a_key_that_the_store_does_not_take(kind: str) -> None:
    made = {
        "none": lambda: None,
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
        "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    }[kind]()
    pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) if made else b""

    with pytest.raises(ValueError, match=r"key|PEM"):
        AppStoreApi(settings(private_key=pem.decode()))


def test_reads_a_transaction() -> None:
    store = Asked(told(transaction()))

    (bought,) = ask(store)

    assert isinstance(bought, StoreTransaction)
    assert store.addresses == [f"GET https://api.storekit.apple.com/inApps/v1/transactions/{ID}"]


def test_asks_the_sandbox_for_what_production_does_not_know() -> None:
    store = Asked(answer(404, NOT_FOUND), told(transaction(environment="Sandbox")))

    (bought,) = ask(store)

    assert bought.environment == "sandbox"
    assert [one.url.host for one in store.requests] == [
        "api.storekit.apple.com",
        "api.storekit-sandbox.apple.com",
    ]


def test_asks_for_every_app() -> None:
    store = Asked(answer(404, NOT_FOUND))

    fault, _ = refusal(lambda: ask(store, apps={BUNDLE: 1, "app.other": 2}))

    assert fault is Fault.GONE
    tokens = [one.headers["Authorization"].removeprefix("Bearer ") for one in store.requests]
    bundles = [jwt.decode(one, options={"verify_signature": False})["bid"] for one in tokens]
    assert bundles == [BUNDLE, "app.other"] * 2


def test_asks_at_the_addresses_of_its_settings() -> None:
    store = Asked(answer(404, NOT_FOUND))
    refusal(
        lambda: ask(store, production_url="http://a/production", sandbox_url="http://b/sandbox")
    )

    assert store.addresses == [
        f"GET http://a/production/inApps/v1/transactions/{ID}",
        f"GET http://b/sandbox/inApps/v1/transactions/{ID}",
    ]


def test_asks_nothing_of_an_environment_that_is_not_served() -> None:
    ours = adapter(settings(environments=["production"]))

    fault, _ = refusal(
        lambda: ours.subscription(environment="sandbox", subscription_id=ID, now=NOW)
    )

    assert fault is Fault.OTHER_ENVIRONMENT


@pytest.mark.parametrize("name", ["", "../../x", "1/2", "1?x=1", "é", "1" * 101, "1\n"])
def test_asks_for_no_name_that_is_none(name: str) -> None:
    store = Asked(told(transaction()))

    fault, _ = refusal(lambda: adapter(settings(), store).transaction(name, now=NOW))

    assert (fault, store.requests) == (Fault.MALFORMED, [])


@pytest.mark.parametrize(
    ("status", "code", "fault"),
    [
        (404, 4040010, Fault.GONE),
        (404, 4040005, Fault.GONE),
        (404, 4040001, Fault.GONE),
        (404, 4040003, Fault.GONE),
        (404, 4040002, Fault.UNAVAILABLE),
        (404, 4040004, Fault.UNAVAILABLE),
        (404, 4040006, Fault.UNAVAILABLE),
        (429, 4290000, Fault.UNAVAILABLE),
        (500, 5000000, Fault.UNAVAILABLE),
        (500, 5000001, Fault.UNAVAILABLE),
        (503, 9999999, Fault.UNAVAILABLE),
        (401, 4010000, Fault.UNAVAILABLE),
        (302, 4040011, Fault.UNAVAILABLE),
        (400, 4000006, Fault.MALFORMED),
        (400, 4000023, Fault.MALFORMED),
        (404, 9999999, Fault.MALFORMED),
    ],
)
def test_gives_every_refusal_its_fault(status: int, code: int, fault: Fault) -> None:
    store = Asked(answer(status, {"errorCode": code, "errorMessage": "no"}))

    assert refusal(lambda: ask(store))[0] is fault


@pytest.mark.parametrize(
    ("name", "status", "fault"),
    [
        ("apiTooManyRequestsException", 429, Fault.UNAVAILABLE),
        ("transactionIdNotFoundError", 404, Fault.GONE),
        ("invalidTransactionIdError", 400, Fault.MALFORMED),
    ],
)
def test_reads_the_refusals_of_apples_own_tests(name: str, status: int, fault: Fault) -> None:
    body = json.loads((PAYLOADS / "answers" / f"{name}.json").read_text(encoding="utf-8"))

    assert refusal(lambda: ask(Asked(answer(status, body))))[0] is fault


def _at(request: httpx.Request, error: type[httpx.RequestError]) -> httpx.Response:
    raise error("no", request=request)


@pytest.mark.parametrize(
    "answered",
    [
        unreachable,
        lambda request: _at(request, httpx.ReadTimeout),
        lambda request: _at(request, httpx.RemoteProtocolError),
        httpx.Response(200, html="<html>We'll be right back</html>"),
        httpx.Response(200, content=b""),
        httpx.Response(200, content=b'{"signedTransactionInfo": '),
        httpx.Response(200, content=b"[" * 100_000),
        httpx.Response(200, json={"signedTransactionInfo": 7}),
        httpx.Response(200, json={"signedTransactionInfo": "a.b.c"}),
        httpx.Response(200, json={}),
        httpx.Response(200, content=b" " * (MAXIMUM_BYTES + 1)),
        httpx.Response(200, content=b"", headers={"Content-Encoding": "br"}),
        httpx.Response(204),
        httpx.Response(401, text="Unauthenticated"),
        httpx.Response(403, html="<html>"),
        httpx.Response(404, html="<html>"),
        httpx.Response(404, json={"errorCode": "4040010"}),
        httpx.Response(429, text=""),
        httpx.Response(502, html="<html>"),
        httpx.Response(301, headers={"Location": "https://example.com"}),
    ],
)
def test_takes_no_answer_for_a_no_that_is_none(answered: Any) -> None:
    fault, _ = refusal(lambda: ask(Asked(answered)))

    assert fault is Fault.UNAVAILABLE


@pytest.mark.parametrize(
    "payload",
    [
        transaction(bundleId="com.example"),
        transaction(environment="Sandbox"),
        transaction(type="Lottery Ticket"),
    ],
)
def test_takes_no_answer_that_is_about_something_else(payload: dict[str, Any]) -> None:
    assert refusal(lambda: ask(Asked(told(payload))))[0] is Fault.UNAVAILABLE


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("1773489630000", 30),
        ("1773489600001", 1),
        ("1773489500000", 0),
        ("9999999999999", 24 * 3600),
        ("7", 7),
        ("0", 0),
        ("soon", None),
        ("", None),
        ("-1", None),
        ("9" * 400, None),
    ],
)
def test_tells_when_the_store_may_be_asked_again(header: str, seconds: int | None) -> None:
    """Its header is a moment in milliseconds, unlike anybody else's."""
    store = Asked(answer(429, {"errorCode": 4290000}, Retry_After=header))
    api = AppStoreApi(settings(), transport=httpx.MockTransport(store), clock=lambda: 1773489600.0)

    with pytest.raises(ProviderError) as refused:
        api.transaction(api.doors()[0], ID)

    assert refused.value.retry_after_seconds == seconds


def test_reads_a_history_to_its_end() -> None:
    bought = [STORE.sign(transaction(transactionId=str(number))) for number in range(3)]
    back = transaction(transactionId="3", revocationDate=milliseconds(NOW))
    store = Asked(
        answer(200, {"signedTransactions": bought, "revision": "a", "hasMore": True}),
        answer(
            200,
            {
                "signedTransactions": [STORE.sign(back), STORE.sign(period(transactionId="4"))],
                "revision": "b",
                "hasMore": False,
            },
        ),
    )

    facts = adapter(settings(), store).history(ID, now=NOW, environment="production")

    assert [type(one) for one in facts] == [StoreTransaction] * 4 + [
        StoreRefund,
        SubscriptionSnapshot,
    ]
    assert store.addresses == [
        f"GET https://api.storekit.apple.com/inApps/v2/history/{ID}?sort=ASCENDING",
        f"GET https://api.storekit.apple.com/inApps/v2/history/{ID}?sort=ASCENDING&revision=a",
    ]


def test_reads_what_was_refunded() -> None:
    back = transaction(revocationDate=milliseconds(NOW))
    store = Asked(answer(200, {"signedTransactions": [STORE.sign(back)], "hasMore": False}))

    _, refund = adapter(settings(), store).refunds(ID, now=NOW)

    assert refund.refunded_at == NOW
    assert store.requests[0].url.path == f"/inApps/v2/refund/lookup/{ID}"


@pytest.mark.parametrize("revision", [None, ""])
def test_does_not_read_on_without_a_mark(revision: str | None) -> None:
    store = Asked(answer(200, {"hasMore": True, "revision": revision}))

    assert refusal(lambda: adapter(settings(), store).history(ID, now=NOW))[0] is Fault.UNAVAILABLE
    assert len(store.requests) == 1


def test_does_not_read_the_same_page_for_ever() -> None:
    same = Asked(answer(200, {"hasMore": True, "revision": "a"}))
    assert refusal(lambda: adapter(settings(), same).history(ID, now=NOW))[0] is Fault.UNAVAILABLE
    assert len(same.requests) == 2

    turn = iter(range(10**6))
    endless = Asked(lambda request: answer(200, {"hasMore": True, "revision": str(next(turn))}))
    assert (
        refusal(lambda: adapter(settings(), endless).history(ID, now=NOW))[0] is Fault.UNAVAILABLE
    )
    assert len(endless.requests) == MAXIMUM_PAGES


def test_reads_a_subscription() -> None:
    other = last() | {"originalTransactionId": "7"}
    store = Asked(statuses(other, last(status=2)))

    (now,) = adapter(settings(), store).subscription(
        environment="production", subscription_id=ID, now=NOW
    )

    assert (now.state, now.as_of, now.period.transaction_id) == (State.EXPIRED, NOW, ID)
    assert store.requests[0].url.path == f"/inApps/v1/subscriptions/{ID}"


def test_says_that_a_subscription_is_gone_which_nobody_tells_of() -> None:
    store = Asked(statuses())
    ours = adapter(settings(), store)

    fault, _ = refusal(
        lambda: ours.subscription(environment="production", subscription_id=ID, now=NOW)
    )

    assert fault is Fault.GONE


@pytest.mark.parametrize("name", ["getAllSubscriptionStatusesResponse"])
def test_believes_no_status_that_is_not_signed(name: str) -> None:
    body = json.loads((PAYLOADS / "answers" / f"{name}.json").read_text(encoding="utf-8"))
    ours = adapter(settings(), Asked(answer(200, body)))

    fault, _ = refusal(
        lambda: ours.subscription(environment="production", subscription_id="3749183", now=NOW)
    )

    assert fault is Fault.UNAVAILABLE


def test_reads_what_was_missed_as_it_would_have_come() -> None:
    raw = notification("ONE_TIME_CHARGE", of=transaction())
    signed = json.loads(raw.body)["signedPayload"]
    page = {"notificationHistory": [{"signedPayload": signed, "sendAttempts": []}]}
    store = Asked(
        answer(200, page | {"hasMore": True, "paginationToken": "p"}),
        answer(200, page | {"hasMore": False}),
    )
    ours = adapter(settings(), store)

    found = list(ours.missed(environment="production", since=NOW - timedelta(days=1), until=NOW))

    assert [ours.facts_of(one, now=NOW) for one in found] == [ours.facts_of(raw, now=NOW)] * 2
    assert [one.url.host for one in store.requests] == ["api.storekit.apple.com"] * 2
    assert store.requests[1].url.params["paginationToken"] == "p"
    assert json.loads(store.requests[0].content) == {
        "startDate": milliseconds(NOW - timedelta(days=1)),
        "endDate": milliseconds(NOW),
    }


def test_asks_for_no_more_history_than_there_is() -> None:
    store = Asked(answer(200, {"hasMore": False}))

    assert not list(
        adapter(settings(), store).missed(
            environment="production", since=NOW - timedelta(days=900), until=NOW
        )
    )

    asked = json.loads(store.requests[0].content)
    assert asked["endDate"] - asked["startDate"] < 180 * 24 * 3600 * 1000


def test_does_not_read_notifications_for_ever() -> None:
    turn = iter(range(10**6))
    endless = Asked(
        lambda request: answer(200, {"hasMore": True, "paginationToken": str(next(turn))})
    )

    with pytest.raises(ProviderError) as refused:
        list(
            adapter(settings(), endless).missed(
                environment="production", since=NOW - timedelta(days=1), until=NOW
            )
        )
    assert refused.value.fault is Fault.UNAVAILABLE


def _answered(ours: AppleAdapter, **changed: Any) -> bool:
    return ours.answer_refund_question(
        QUESTION, **({"consumed_share": Fraction(1, 3), "consented": True} | changed)
    )


def test_tells_exactly_how_much_was_used() -> None:
    store = Asked(httpx.Response(202))

    assert _answered(adapter(settings(), store), preference=Preference.GRANT_PRORATED)

    (request,) = store.requests
    assert (request.method, request.url.path) == (
        "PUT",
        f"/inApps/v2/transactions/consumption/{ID}",
    )
    assert json.loads(request.content) == {
        "customerConsented": True,
        "sampleContentProvided": True,
        "deliveryStatus": "DELIVERED",
        "consumptionPercentage": 33_333,
        "refundPreference": "GRANT_PRORATED",
    }


@pytest.mark.parametrize(
    ("share", "percentage"),
    [
        (Fraction(0), 0),
        (Fraction(1), 100_000),
        (Fraction(2, 3), 66_667),
        (Fraction(1, 200_000), 1),
        (Fraction(1, 200_001), 0),
        (Fraction(67_932, 100_000), 67_932),
    ],
)
def test_rounds_a_share_to_what_the_store_can_be_told(share: Fraction, percentage: int) -> None:
    store = Asked(httpx.Response(202))
    _answered(adapter(settings(), store), consumed_share=share)

    assert json.loads(store.requests[0].content)["consumptionPercentage"] == percentage


def test_tells_nothing_without_consent() -> None:
    store = Asked(httpx.Response(202))

    assert not _answered(adapter(settings(), store), consented=False)
    assert store.requests == []


def test_lets_the_store_count_the_days_of_a_subscription() -> None:
    store = Asked(httpx.Response(202))
    _answered(
        adapter(settings(), store),
        consumed_share=None,
        preference=Preference.GRANT_PRORATED,
        delivery=Delivery.SERVER_OUTAGE,
        sample_provided=False,
    )

    assert json.loads(store.requests[0].content) == {
        "customerConsented": True,
        "sampleContentProvided": False,
        "deliveryStatus": "UNDELIVERED_SERVER_OUTAGE",
        "refundPreference": "GRANT_PRORATED",
    }


def test_asks_all_back_for_what_was_not_used_at_all() -> None:
    """The store takes no prorated refund of nothing used."""
    store = Asked(httpx.Response(202))
    _answered(
        adapter(settings(), store),
        consumed_share=Fraction(0),
        preference=Preference.GRANT_PRORATED,
    )

    assert json.loads(store.requests[0].content)["refundPreference"] == "GRANT_FULL"


@pytest.mark.parametrize("share", [Fraction(-1, 10), Fraction(11, 10)])
def test_tells_no_share_that_is_none(share: Fraction) -> None:
    with pytest.raises(ValueError, match="share"):
        _answered(adapter(), consumed_share=share)


def test_says_when_an_answer_was_not_taken() -> None:
    gone, broken = Asked(answer(404, NOT_FOUND)), Asked(httpx.Response(503))

    assert refusal(lambda: _answered(adapter(settings(), gone)))[0] is Fault.GONE
    assert refusal(lambda: _answered(adapter(settings(), broken)))[0] is Fault.UNAVAILABLE


def test_has_the_store_send_a_notification() -> None:
    body = json.loads(
        (PAYLOADS / "answers" / "requestTestNotificationResponse.json").read_text(encoding="utf-8")
    )
    store = Asked(answer(200, body))

    tokens = adapter(settings(), store).request_test_notification(environment="sandbox")

    assert tokens == ["ce3af791-365e-4c60-841b-1674b43c1609"]
    assert store.addresses == [
        "POST https://api.storekit-sandbox.apple.com/inApps/v1/notifications/test"
    ]


HOUR = timedelta(hours=1)


def test_takes_a_fresh_purchase_without_asking() -> None:
    (bought,) = adapter().submitted(STORE.sign(transaction()), now=NOW + HOUR)

    assert (bought.transaction_id, bought.price_micros) == (ID, 4_990_000)


def test_asks_about_a_purchase_that_may_have_been_refunded_since() -> None:
    signed = STORE.sign(transaction())
    back = transaction(revocationDate=milliseconds(NOW))
    store = Asked(told(back))

    bought, refund = adapter(settings(), store).submitted(signed, now=NOW + 2 * HOUR)

    assert bought.transaction_id == refund.transaction_id == ID
    assert refusal(lambda: adapter().submitted(signed, now=NOW + 2 * HOUR))[0] is Fault.UNAVAILABLE


def test_takes_a_subscription_as_the_store_has_it_now() -> None:
    current = last() | {"signedRenewalInfo": STORE.sign(renewal(autoRenewStatus=0))}
    ours = adapter(settings(), Asked(statuses(current)))

    (now,) = ours.submitted(STORE.sign(period()), now=NOW)

    assert (now.state, now.period.transaction_id) == (State.CANCELLED, ID)


def test_tells_of_the_period_that_was_handed_in_and_of_the_state_of_now() -> None:
    current = last(transactionId="2000000000000002")
    ours = adapter(settings(), Asked(statuses(current)))

    bought, now = ours.submitted(STORE.sign(period()), now=NOW)

    assert (bought.period.transaction_id, bought.as_of) == (ID, NOW)
    assert now.period.transaction_id == "2000000000000002"


@pytest.mark.parametrize("store", [unreachable, Asked(answer(404, NOT_FOUND))])
def test_takes_a_fresh_subscription_by_itself_where_the_store_cannot_say(store: Any) -> None:
    """As of its purchase, so that whatever is known of later holds against it."""
    ours = adapter(settings(), store)
    signed = STORE.sign(period(signedDate=milliseconds(NOW + HOUR)))

    (bought,) = ours.submitted(signed, now=NOW + HOUR)

    assert (bought.state, bought.as_of, bought.renews_as) == (State.ACTIVE, NOW, "vip.month")


@pytest.mark.parametrize(
    ("changed", "later"),
    [
        ({}, 2 * HOUR),
        ({"isUpgraded": True}, HOUR),
        ({"revocationDate": milliseconds(NOW)}, HOUR),
    ],
)
def test_takes_no_other_subscription_by_itself(changed: dict[str, Any], later: timedelta) -> None:
    signed = STORE.sign(period(**changed))

    assert refusal(lambda: adapter().submitted(signed, now=NOW + later))[0] is Fault.UNAVAILABLE


@pytest.mark.parametrize("handed_in", [ID, "", "null", "\x00", "\ud800"])
def test_takes_nothing_by_its_number(handed_in: str) -> None:
    """Numbers follow one another: whoever knows one knows what others bought."""
    assert refusal(lambda: adapter().submitted(handed_in, now=NOW))[0] is Fault.MALFORMED

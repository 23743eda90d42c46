"""Stripe is asked once, with what it needs to know; whatever comes back is an answer or our own error."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from payments.providers.base import Fault, ProviderError
from payments.providers.stripe.adapter import StripeAdapter, StripeSettings
from payments.providers.stripe.http import MAXIMUM_ANSWER_BYTES
from tests.payments.providers.stripe.shop import COINS, Shop, fault_of
from tests.proof import Proof

SETTINGS = StripeSettings(
    environment="sandbox", secret_key="sk_test_1", webhook_secrets=("whsec_1",)
)


def asked_of(answer: Callable[[httpx.Request], httpx.Response]) -> StripeAdapter:
    """An adapter whose every call is answered so."""
    return StripeAdapter(SETTINGS, transport=httpx.MockTransport(answer))


def answered(status: int = 200, body: Any = b"", **headers: str) -> StripeAdapter:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return asked_of(
        lambda request: httpx.Response(status, stream=httpx.ByteStream(content), headers=sent)
    )


def fault(adapter: StripeAdapter, now: Any) -> Fault | None:
    return fault_of(lambda: adapter.submitted("pi_1", now=now))


def error(code: str = "", kind: str = "invalid_request_error") -> dict[str, Any]:
    return {"error": {"type": kind, "code": code, "message": "no"}}


@pytest.mark.parametrize(
    ("adapter", "expected"),
    [
        (answered(404, error("resource_missing")), Fault.GONE),
        (answered(400, error("resource_missing")), Fault.GONE),
        (answered(400, error("parameter_unknown")), Fault.MALFORMED),
        (answered(400, error(kind="idempotency_error")), Fault.MALFORMED),
        (answered(402, error("card_declined", "card_error")), Fault.MALFORMED),
        (answered(400, error("rate_limit")), Fault.UNAVAILABLE),
        (answered(401, error()), Fault.UNAVAILABLE),
        (answered(403, error()), Fault.UNAVAILABLE),
        (answered(409, error(kind="idempotency_error")), Fault.UNAVAILABLE),
        (answered(429, error("lock_timeout")), Fault.UNAVAILABLE),
        (answered(500, error(kind="api_error")), Fault.UNAVAILABLE),
        (answered(503, b"<html>back soon</html>"), Fault.UNAVAILABLE),
        (answered(404, b"<html>nothing here</html>"), Fault.UNAVAILABLE),
        (answered(404, {"error": "a proxy's"}), Fault.UNAVAILABLE),
        (answered(301, b"", Location="https://other.test/"), Fault.UNAVAILABLE),
        (answered(302, {"id": "pi_1"}, Location="https://other.test/"), Fault.UNAVAILABLE),
        (answered(204), Fault.UNAVAILABLE),
        (answered(200, b"<html>hello</html>"), Fault.UNAVAILABLE),
        (answered(200, b'{"id": "pi_1", "obj'), Fault.UNAVAILABLE),
        (answered(200, b"[]"), Fault.UNAVAILABLE),
        (answered(200, {}), Fault.UNAVAILABLE),
        (answered(200, {"object": ["list"]}), Fault.UNAVAILABLE),
        (answered(200, {"object": "list", "data": 7}), Fault.UNAVAILABLE),
        (answered(200, {"object": "event", "data": {"object": 7}}), Fault.UNAVAILABLE),
        (answered(200, {"object": "price", "unit_amount_decimal": "x"}), Fault.UNAVAILABLE),
        (
            answered(400, {"error": {"source": {"object": "price", "unit_amount_decimal": "x"}}}),
            Fault.UNAVAILABLE,
        ),
        (answered(400, {"error": {"code": ["x"], "message": {"a": 1}}}), Fault.MALFORMED),
        (answered(200, b"9" * 5000), Fault.UNAVAILABLE),
        (answered(200, b'{"id": ' + b"9" * 5000 + b"}"), Fault.UNAVAILABLE),
        (answered(200, b"\xff\xfe"), Fault.UNAVAILABLE),
        (answered(200, b'{"a":' * 5000 + b"1" + b"}" * 5000), Fault.UNAVAILABLE),
        (answered(200, b" " * (MAXIMUM_ANSWER_BYTES + 1)), Fault.UNAVAILABLE),
    ],
)
def test_says_what_may_pass_and_what_will_not(
    adapter: StripeAdapter, expected: Fault, now: Any
) -> None:
    assert fault(adapter, now) is expected


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.ReadTimeout("slow"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("not HTTP"),
        httpx.InvalidURL("odd"),
    ],
)
def test_waits_for_a_store_that_cannot_be_reached(failure: Exception, now: Any) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise failure

    assert fault(asked_of(fail), now) is Fault.UNAVAILABLE


@pytest.mark.parametrize(
    ("header", "expected"), [("7", 7), ("0", 0), ("", None), ("soon", None), ("9" * 30, None)]
)
def test_hands_on_when_to_ask_again(header: str, expected: int | None, now: Any) -> None:
    adapter = answered(429, error("rate_limit"), Retry_After=header)
    with pytest.raises(ProviderError) as refused:
        adapter.submitted("pi_1", now=now)

    assert refused.value.retry_after_seconds == expected
    assert not refused.value.permanent


def test_asks_once_and_leaves_it_to_the_caller_to_ask_again(now: Any) -> None:
    asked = []

    def fail(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(500, json=error(kind="api_error"))

    fault(asked_of(fail), now)

    assert len(asked) == 1


def test_sends_its_key_its_version_and_the_callers_idempotency_key() -> None:
    asked = []

    def keep(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(500, json=error(kind="api_error"))

    adapter = asked_of(keep)
    fault_of(lambda: adapter.open_payment(COINS, idempotency_key="order-1"))

    (request,) = asked
    assert request.url == "https://api.stripe.com/v1/payment_intents"
    assert request.headers["Authorization"] == "Bearer sk_test_1"
    assert request.headers["Stripe-Version"] == "2026-10-28.endive"
    assert request.headers["Idempotency-Key"] == "order-1"


@pytest.mark.parametrize("key", ["", "é", "a b", "a\n", "x" * 256])
def test_takes_no_idempotency_key_that_stripe_would_not(key: str) -> None:
    with pytest.raises(ValueError, match="idempotency"):
        answered().open_payment(COINS, idempotency_key=key)


@pytest.mark.parametrize(
    "handed_in",
    ["", "pi_", "cs_", "pi_1/../../customers", "pi_1?x=1", "sub_1", "ch_1", "pi_é", "x"],
)
def test_asks_for_nothing_that_is_no_id(handed_in: str, now: Any) -> None:
    def never(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    adapter = asked_of(never)

    assert fault_of(lambda: adapter.submitted(handed_in, now=now)) is Fault.MALFORMED
    assert (
        fault_of(
            lambda: adapter.subscription(
                environment="sandbox", subscription_id=f"x{handed_in}", now=now
            )
        )
        is Fault.MALFORMED
    )


def test_refuses_an_object_of_the_other_environment(shop: Shop) -> None:
    payment = shop.read(f"/v1/payment_intents/{shop.bought()}") | {"livemode": True}

    assert fault(answered(200, payment), shop.now) is Fault.OTHER_ENVIRONMENT


def test_asks_of_no_other_environment(now: Any) -> None:
    asked = lambda: answered().subscription(  # noqa: E731
        environment="production", subscription_id="sub_1", now=now
    )

    assert fault_of(asked) is Fault.OTHER_ENVIRONMENT


@pytest.mark.parametrize("member", ["url", "client_secret"])
def test_opens_nothing_that_a_buyer_could_not_use(shop: Shop, member: str) -> None:
    session = shop.read(f"/v1/checkout/sessions/{shop.checkout()}") | {"url": None}
    payment = shop.read(f"/v1/payment_intents/{shop.bought()}") | {"client_secret": None}
    if member == "url":
        fault = fault_of(
            lambda: answered(200, session).open_checkout(
                COINS, success_url="x", cancel_url="x", idempotency_key="a"
            )
        )
    else:
        fault = fault_of(lambda: answered(200, payment).open_payment(COINS, idempotency_key="a"))

    assert fault is Fault.UNAVAILABLE


def test_ends_a_list_that_does_not(now: Any) -> None:
    page = {"object": "list", "has_more": True, "url": "/", "data": [{"id": "evt_1"}]}

    assert (
        fault_of(
            lambda: list(answered(200, page).missed(environment="sandbox", since=now, until=now))
        )
        is Fault.UNAVAILABLE
    )


def test_asks_nothing_when_it_was_closed(now: Any) -> None:
    adapter = answered(404, error("resource_missing"))
    assert fault(adapter, now) is Fault.GONE
    adapter.close()

    with pytest.raises(RuntimeError, match="closed"):
        adapter.submitted("pi_1", now=now)


def test_opens_a_portal_for_a_subscription_alone(shop: Shop) -> None:
    for name in ("", "cus_1", "sub_", "sub_1/x"):
        opened = lambda name=name: shop.adapter.open_portal(  # noqa: E731
            name, return_url="https://app.test", idempotency_key=shop.key()
        )
        assert fault_of(opened) is Fault.MALFORMED


@pytest.mark.parametrize(
    ("environment", "key"),
    [
        ("production", "sk_test_1"),
        ("sandbox", "sk_live_1"),
        ("sandbox", "pk_test_1"),
        ("sandbox", ""),
    ],
)
def test_takes_no_key_of_another_environment(environment: str, key: str) -> None:
    with pytest.raises(ValueError, match="secret key"):
        StripeSettings(environment=environment, secret_key=key, webhook_secrets=("whsec_1",))


@pytest.mark.parametrize("secrets", [(), ("",), ("whsec_1", "")])
def test_takes_no_empty_webhook_secret(secrets: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="webhook secret"):
        StripeSettings(environment="sandbox", secret_key="sk_test_1", webhook_secrets=secrets)


def test_shows_no_secret() -> None:
    assert "sk_test_1" not in repr(SETTINGS)
    assert "whsec_1" not in repr(SETTINGS)


NAMES = st.sampled_from(
    ["id", "object", "error", "data", "type", "code", "message", "status", "amount", "created"]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["pi_1", "payment_intent", "list", "event", "checkout.session", "usd"]),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES | st.text(), inner),
    max_leaves=10,
)
ANSWERS = st.binary() | st.dictionaries(NAMES, VALUES).map(lambda one: json.dumps(one).encode())


def test_never_fails_otherwise_than_by_its_own_error(proof: Proof, now: Any) -> None:
    said: dict[str, Any] = {}
    adapter = asked_of(
        lambda request: httpx.Response(said["status"], stream=httpx.ByteStream(said["body"]))
    )

    @settings(max_examples=proof.rounds(full=4_000), deadline=None, database=None)
    @example(200, b"")
    @given(st.sampled_from([200, 201, 302, 400, 401, 402, 404, 409, 429, 500]), ANSWERS)
    def explore(status: int, body: bytes) -> None:
        said.update(status=status, body=body)
        assert fault(adapter, now) is not None
        fault_of(lambda: list(adapter.missed(environment="sandbox", since=now, until=now)))

    explore()
    proof.record("P11", "anything for an answer of Stripe's API", violations=0)

"""Stripe's side of the wire over HTTP: its keys, its idempotency, its pages, and what it tells our endpoint."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from config import clock
from demo import ports
from demo.stores.messages import Answer, Request
from demo.stores.stripe.server import StripePeer
from payments.providers.base import Payment, ProviderError, RawMessage
from payments.providers.stripe.adapter import StripeAdapter, StripeSettings
from tests.payments.providers.stripe.shop import COINS

pytestmark = pytest.mark.matrix(3)

CHECKOUT = {
    "mode": "payment",
    "line_items[0][price_data][currency]": "usd",
    "line_items[0][price_data][unit_amount]": "499",
    "line_items[0][price_data][product_data][name]": "500 <coins>",
    "line_items[0][quantity]": "1",
    "success_url": "https://app.test/done?session={CHECKOUT_SESSION_ID}",
    "cancel_url": "https://app.test/shop",
}


class Served:
    """A Stripe that answers over HTTP, and an endpoint of ours that verifies what it is told."""

    def __init__(self, folder: Path) -> None:
        self.stripe = StripePeer(folder)
        port = ports.any_free()
        self.url = f"http://127.0.0.1:{port}"
        self.taken: list[str] = []
        self.refused: list[str] = []
        self.stripe.peer._routes.append(("POST", re.compile("/our_endpoint"), self._receive))
        threading.Thread(target=self.stripe.peer.serve, args=[port], daemon=True).start()
        self.http = httpx.Client(base_url=self.url, timeout=5)
        wait_until(lambda: self._answers())
        keys = self.http.get("/_keys").json()
        self.key = keys["secret_key"]
        self.secrets = tuple(keys["webhook_secrets"])
        self.adapter = self._adapter(self.secrets)
        self.order("set_webhook", url=f"{self.url}/our_endpoint")

    def holds(self, *secrets: str) -> None:
        """Which secrets our endpoint has from now on."""
        self.adapter.close()
        self.adapter = self._adapter(secrets)

    def _adapter(self, secrets: tuple[str, ...]) -> StripeAdapter:
        return StripeAdapter(
            StripeSettings(
                environment="sandbox",
                secret_key=self.key,
                webhook_secrets=secrets,
                api_address=self.url,
            )
        )

    def order(self, name: str, /, **members: Any) -> Any:
        answer = self.http.post(f"/_commands/{name}", json=members)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, form: dict[str, str], **headers: str) -> httpx.Response:
        return self.http.post(path, data=form, headers=self.headers | headers)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}", "Stripe-Version": "2026-10-28.endive"}

    def opened(self) -> Any:
        return self.post("/v1/checkout/sessions", CHECKOUT).json()

    def _receive(self, request: Request, match: object) -> Answer:
        message = RawMessage(request.headers, request.body)
        try:
            read = self.adapter.read_message(message, now=clock.read())
        except ProviderError as error:
            self.refused.append(error.fault)
            return Answer(status=400)
        self.taken.append(read.type)
        return Answer(status=204)

    def _answers(self) -> bool:
        try:
            return self.http.get("/_ready").status_code == 204
        except httpx.TransportError:
            return False


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path)
    yield served
    served.http.close()
    served.adapter.close()


def wait_until(is_so: Callable[[], bool], seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.02)


def test_answers_nobody_without_its_key(served: Served) -> None:
    for headers in (
        {},
        {"Authorization": "Bearer sk_test_other"},
        {"Authorization": served.key},
        {"Authorization": "Bearer é".encode()},
    ):
        answer = served.http.get("/v1/events", headers={"Stripe-Version": "x"} | headers)
        assert (answer.status_code, "error" in answer.json()) == (401, True)

    old = {"Authorization": f"Bearer {served.key}", "Stripe-Version": "2024-06-20"}
    assert served.http.get("/v1/events", headers=old).status_code == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": "setup"},
        {"colour": "red"},
        {"line_items[0][price_data][unit_amount]": "4.99"},
        {"line_items[0][price_data][unit_amount]": ""},
        {"line_items[0][quantity]": "one"},
        {"line_items[0][colour]": "red"},
        {"line_items[1][price]": "price_1"},
        {"line_items[0][price]": "price_1"},
        {"expires_at": "1"},
        {"mode": "subscription"},
        {"subscription_data[metadata][a]": "b"},
        {"customer": "cus_1"},
        {"line items": "x"},
    ],
)
def test_refuses_parameters_that_stripe_has_not(served: Served, changes: dict[str, str]) -> None:
    answer = served.post("/v1/checkout/sessions", CHECKOUT | changes)

    assert answer.status_code in {400, 404}
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_answers_the_same_again_under_one_key(served: Served) -> None:
    first = served.post("/v1/checkout/sessions", CHECKOUT, **{"Idempotency-Key": "a"})
    again = served.post("/v1/checkout/sessions", CHECKOUT, **{"Idempotency-Key": "a"})
    other = served.post(
        "/v1/checkout/sessions", CHECKOUT | {"mode": "payment", "client_reference_id": "x"},
        **{"Idempotency-Key": "a"},
    )  # fmt: skip
    new = served.post("/v1/checkout/sessions", CHECKOUT, **{"Idempotency-Key": "b"})

    assert again.content == first.content
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (other.status_code, other.json()["error"]["type"]) == (400, "idempotency_error")
    assert new.json()["id"] != first.json()["id"]


def test_keeps_no_refusal_under_a_key(served: Served) -> None:
    key = {"Idempotency-Key": "a"}
    assert served.post("/v1/checkout/sessions", CHECKOUT | {"mode": "x"}, **key).status_code == 400
    assert served.post("/v1/checkout/sessions", CHECKOUT, **key).status_code == 200


def test_refuses_the_same_key_while_it_is_being_answered(served: Served) -> None:
    answers: list[int] = []

    def ask() -> None:
        answers.append(
            served.post("/v1/checkout/sessions", CHECKOUT, **{"Idempotency-Key": "a"}).status_code
        )

    with served.stripe.kept.reading():
        first = threading.Thread(target=ask)
        first.start()
        wait_until(lambda: "a" in served.stripe._asking)
        ask()
    first.join()

    assert answers == [409, 200]


def test_takes_a_buyer_through_its_page(served: Served) -> None:
    session = served.opened()
    page = served.http.get(session["url"]).text
    assert "500 &lt;coins&gt;" in page
    assert "Pay" in page

    declined = served.http.post(f"{session['url']}/decline")
    assert declined.headers["Location"] == f"{session['url']}?declined=1"
    assert "declined" in served.http.get(declined.headers["Location"]).text
    cancelled = served.http.post(f"{session['url']}/cancel")
    assert cancelled.headers["Location"] == "https://app.test/shop"

    paid = served.http.post(f"{session['url']}/pay")
    assert paid.status_code == 303
    assert paid.headers["Location"] == f"https://app.test/done?session={session['id']}"
    assert "complete" in served.http.get(session["url"]).text
    assert served.http.post(f"{session['url']}/pay").status_code == 400


def test_tells_our_endpoint_and_signs_it(served: Served) -> None:
    session = served.opened()
    served.http.post(f"{session['url']}/pay")

    wait_until(lambda: len(served.taken) == 3)
    assert set(served.taken) == {
        "payment_intent.created",
        "payment_intent.succeeded",
        "checkout.session.completed",
    }
    assert served.refused == []


def test_sells_to_the_adapter_from_the_link_to_the_fact(served: Served) -> None:
    opened = served.adapter.open_checkout(
        COINS,
        success_url="https://app.test/done?session={CHECKOUT_SESSION_ID}",
        cancel_url="https://app.test",
        idempotency_key="order-1",
    )
    back = served.http.post(f"{opened.url}/pay").headers["Location"]

    (fact,) = served.adapter.submitted(back.partition("=")[2], now=clock.read())
    assert (fact.price_micros, fact.payment) == (4_990_000, Payment.PAID)
    wait_until(lambda: len(served.taken) == 3)


def test_signs_with_both_secrets_while_they_are_rolled(served: Served) -> None:
    old = served.secrets
    new = tuple(served.order("roll_secret")["webhook_secrets"])
    assert new[1:] == old

    for secrets in (old, new[:1], new):
        served.holds(*secrets)
        before = len(served.taken)
        served.order("pay", session=served.opened()["id"])
        wait_until(lambda before=before: len(served.taken) == before + 3)
    assert served.refused == []


def test_what_was_damaged_is_refused_and_comes_again(served: Served) -> None:
    served.http.put("/_deliveries", json={"corrupt": 1, "seed": 1})
    served.order("pay", session=served.opened()["id"])

    wait_until(lambda: len(served.taken) == 3)
    assert len(served.refused) == 3


def test_expires_what_nobody_paid_and_renews_when_time_goes_on(served: Served) -> None:
    unpaid = served.opened()
    recurring = {"line_items[0][price_data][recurring][interval]": "month"}
    form = CHECKOUT | recurring | {"mode": "subscription"}
    sold = served.post("/v1/checkout/sessions", form).json()
    subscription = served.order("pay", session=sold["id"])["subscription"]

    served.http.post("/_clock", json={"advance_seconds": 100 * 86_400})

    read = served.http.get(f"/v1/checkout/sessions/{unpaid['id']}", headers=served.headers)
    assert read.json()["status"] == "expired"
    invoices = served.http.get(
        "/v1/invoices", params={"subscription": subscription}, headers=served.headers
    ).json()["data"]
    assert len(invoices) == 4
    starts = [one["lines"]["data"][0]["period"]["start"] for one in invoices]
    assert starts == sorted(starts, reverse=True)


def test_keeps_its_account_from_one_start_to_the_next(tmp_path: Path) -> None:
    answers = []
    for _ in range(2):
        port = ports.any_free()
        command = [sys.executable, "-m", "demo.stores.stripe", "--port", str(port)]
        with subprocess.Popen([*command, "--folder", str(tmp_path)]) as process:
            try:
                address = f"http://127.0.0.1:{port}"
                wait_until(lambda address=address: _is_up(address), 30)
                answers.append(httpx.get(f"{address}/_keys").json())
            finally:
                process.kill()
    assert answers[0] == answers[1]
    assert answers[0]["secret_key"].startswith("sk_test_")


def _is_up(address: str) -> bool:
    try:
        return httpx.get(f"{address}/_ready").status_code == 204
    except httpx.TransportError:
        return False

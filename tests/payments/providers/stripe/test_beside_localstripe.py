"""A Stripe that somebody else has written, where it is installed: the same payments and signatures are read from it.

localstripe (PyPI, GPLv3) runs as a process of its own and nothing of it is imported. It is of 2017's API: its
subscriptions have no periods where today's have them.
"""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from config import clock
from demo import ports
from payments.providers.base import Fault, Payment, RawMessage, StoreTransaction
from payments.providers.stripe import metadata
from payments.providers.stripe.adapter import StripeAdapter, StripeSettings
from tests.payments.providers.stripe.shop import INTENT, VIEWER, fault_of

PROGRAM = shutil.which(
    "localstripe", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
)
pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="localstripe is not installed: pip install localstripe==1.15.10"
)
PATIENCE_SECONDS = 20


class LocalStripe:
    """It, an adapter that asks it, and an endpoint that it tells."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, auth=("sk_test_local", ""), timeout=10)
        self.adapter = StripeAdapter(
            StripeSettings(
                environment="sandbox",
                secret_key="sk_test_local",
                webhook_secrets=("whsec_local",),
                api_address=url,
            )
        )
        self.told: list[RawMessage] = []

    def ask(self, path: str, **form: Any) -> Any:
        return self.http.post(f"/v1/{path}", data=form).json()

    def card(self, number: str) -> Any:
        """A way to pay."""
        card = {"number": number, "exp_month": "12", "exp_year": "2040", "cvc": "123"}
        form = {f"card[{name}]": value for name, value in card.items()}
        return self.ask("payment_methods", type="card", **form)["id"]

    def pay(self) -> Any:
        """A payment of the coins."""
        told = metadata.of_sale(
            account_token=VIEWER, intent_id=INTENT, store_product_id="coins_500", quantity=1
        )
        return self.ask(
            "payment_intents",
            amount="499",
            currency="usd",
            payment_method=self.card("4242424242424242"),
            confirm="true",
            **{f"metadata[{name}]": value for name, value in told.items()},
        )["id"]


@pytest.fixture(scope="module")
def local() -> Iterator[LocalStripe]:
    port = ports.any_free()
    command = [str(PROGRAM), "--port", str(port), "--from-scratch"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            running = LocalStripe(f"http://127.0.0.1:{port}")
            with running.http, endpoint(running.told) as address:
                wait_for(running)
                hook = {"url": address, "secret": "whsec_local"}
                assert running.http.post("/_config/webhooks/ours", json=hook).status_code == 200
                yield running
                running.adapter.close()
        finally:
            process.terminate()


class endpoint:  # noqa: N801  used as a function
    """Where webhooks go while it is open; gives its address."""

    def __init__(self, told: list[RawMessage]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                told.append(RawMessage(dict(self.headers.items()), body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """In silence."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}/"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def wait_for(local: LocalStripe) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            local.http.get("/v1/events")
        except httpx.TransportError:
            assert time.monotonic() < until, "localstripe did not start"
            time.sleep(0.1)
        else:
            return


def test_reads_a_payment_of_its(local: LocalStripe) -> None:
    payment_id = local.pay()

    (fact,) = local.adapter.submitted(payment_id, now=clock.read())

    assert fact == StoreTransaction(
        environment="sandbox",
        transaction_id=payment_id,
        store_product_id="coins_500",
        account_token=VIEWER,
        price_micros=4_990_000,
        currency="USD",
        purchased_at=fact.purchased_at,
        payment=Payment.PAID,
        intent_id=INTENT,
    )
    assert abs(fact.purchased_at - clock.read()) < timedelta(minutes=1)


def test_verifies_what_it_signs(local: LocalStripe) -> None:
    payment_id = local.pay()
    until = time.monotonic() + PATIENCE_SECONDS
    told: dict[str, RawMessage] = {}
    while "payment_intent.succeeded" not in told:
        assert time.monotonic() < until, "nothing was told"
        time.sleep(0.1)
        now = clock.read()
        told = {
            local.adapter.read_message(one, now=now).type: one
            for one in local.told
            if payment_id.encode() in one.body
        }

    now = clock.read()
    message = told["payment_intent.succeeded"]
    assert local.adapter.facts_of(message, now=now) == local.adapter.submitted(payment_id, now=now)
    damaged = RawMessage(message.headers, message.body.replace(b"499", b"999"))
    assert fault_of(lambda: local.adapter.read_message(damaged, now=now)) is Fault.FORGED


def test_gives_back_in_parts(local: LocalStripe) -> None:
    payment_id, now = local.pay(), clock.read()
    part = local.adapter.refund(payment_id, amount_micros=1_000_000, idempotency_key="a", now=now)
    rest = local.adapter.refund(payment_id, amount_micros=3_990_000, idempotency_key="b", now=now)

    assert [part.amount_micros, rest.amount_micros] == [1_000_000, 3_990_000]
    assert part.refund_id != rest.refund_id


def test_knows_no_payment_that_is_not_there(local: LocalStripe) -> None:
    asked = local.adapter.submitted

    assert fault_of(lambda: asked("pi_nothing", now=clock.read())) is Fault.GONE


def test_takes_no_subscription_of_an_older_version_for_one_of_today(local: LocalStripe) -> None:
    method = local.card("4242424242424242")
    customer = local.ask("customers", email="buyer@example.com")
    local.ask(f"payment_methods/{method}/attach", customer=customer["id"])
    default = {"invoice_settings[default_payment_method]": method}
    local.ask(f"customers/{customer['id']}", **default)
    plan = local.ask(
        "plans",
        id="vip",
        amount="1999",
        currency="usd",
        interval="month",
        **{"product[name]": "VIP"},
    )
    made = local.ask(
        "subscriptions",
        customer=customer["id"],
        **{"items[0][plan]": plan["id"]},
    )

    assert "current_period_end" in made, made
    asked = lambda: local.adapter.subscription(  # noqa: E731
        environment="sandbox", subscription_id=made["id"], now=clock.read()
    )
    assert fault_of(asked) is Fault.UNAVAILABLE

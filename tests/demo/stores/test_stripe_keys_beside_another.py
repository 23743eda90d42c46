"""A Stripe that somebody else has written answers repeated requests as ours does, where it is installed.

stripe-stateful-mock (npm, MIT) runs as a process of its own. It keeps what was answered under an idempotency key; it
has customers and charges, and none of the objects that we sell with. It keeps refusals of parameters, too, which
Stripe's documentation says are not kept.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo import ports
from tests.served_stripe import ServedStripe

PROGRAM = shutil.which("stripe-stateful-mock")
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(
    PROGRAM is None or NODE is None,
    reason="stripe-stateful-mock is not installed: npm install --global stripe-stateful-mock@0.0.16",
)
CUSTOMER = ("/v1/customers", {"email": "one@app.test"}, {"email": "other@app.test"})
PAYMENT = (
    "/v1/payment_intents",
    {"amount": "499", "currency": "usd"},
    {"amount": "999", "currency": "usd"},
)


@pytest.fixture
def theirs() -> Iterator[httpx.Client]:
    assert PROGRAM
    assert NODE
    port = ports.any_free()
    process = subprocess.Popen(
        [NODE, PROGRAM], env={"PATH": os.environ["PATH"], "PORT": str(port), "LOG_LEVEL": "silent"}
    )
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", auth=("sk_test_theirs", "")
        ) as client:
            _wait(client)
            yield client
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[httpx.Client]:
    served = ServedStripe(tmp_path)
    with httpx.Client(
        base_url=served.url,
        headers={
            "Authorization": f"Bearer {served.keys['secret_key']}",
            "Stripe-Version": "2026-10-28.endive",
        },
    ) as client:
        yield client
    served.http.close()


def test_a_key_is_for_one_request_and_has_one_answer(
    theirs: httpx.Client, ours: httpx.Client
) -> None:
    assert _conversation(ours, *PAYMENT) == _conversation(theirs, *CUSTOMER)


def _conversation(
    client: httpx.Client, path: str, form: dict[str, str], other: dict[str, str]
) -> list[Any]:
    """What is told of a request, of the same again, of another under its key, and of another by itself."""
    first = _post(client, path, form, key="one")
    again = _post(client, path, form, key="one")
    misused = _post(client, path, other, key="one")
    apart = _post(client, path, other, key="two")
    return [
        _told(first),
        _told(again),
        again.json()["id"] == first.json()["id"],
        _told(misused),
        _told(apart),
        apart.json()["id"] == first.json()["id"],
    ]


def _told(answer: httpx.Response) -> tuple[int, bool, str | None]:
    """Status, whether it was answered before, and what kind of error it is."""
    error = answer.json().get("error", {})
    return answer.status_code, "idempotent-replayed" in answer.headers, error.get("type")


def _post(client: httpx.Client, path: str, form: dict[str, str], *, key: str) -> httpx.Response:
    return client.post(path, data=form, headers={"Idempotency-Key": key})


def _wait(client: httpx.Client) -> None:
    for _ in range(100):
        try:
            client.get("/v1/customers")
        except httpx.ConnectError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("stripe-stateful-mock did not start")

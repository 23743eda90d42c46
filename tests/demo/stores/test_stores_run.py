"""The stores of a demo run as processes, are what the instance was told, and are started again when they end."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from config import clock
from demo import ports
from demo.processes import PROJECT
from demo.stores import addresses, opening
from demo.stores.addresses import Addresses
from demo.stores.deliveries import Deliveries
from demo.stores.messages import Answer
from demo.stores.opening import Opened
from demo.stores.peer import Clock, Peer, Route
from payments.providers import registry
from payments.providers.base import Fault, ProviderError

STORES = ("apple", "google", "stripe")


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    return opening.prepare(tmp_path, backend=f"http://127.0.0.1:{ports.any_free()}")


@pytest.fixture
def backend(opened: Opened, tmp_path: Path) -> Iterator[None]:
    """Something that answers as an instance does once it runs."""
    folder = tmp_path / "backend"
    folder.mkdir()
    peer = Peer(
        routes=[Route("GET", "/livez", lambda request, match: Answer(status=200))],
        folder=folder,
        clock=Clock(),
        deliveries=Deliveries(threads=0),
    )
    port = httpx.URL(opened.addresses.backend).port
    assert port is not None
    threading.Thread(target=peer.serve, args=[port], daemon=True).start()
    yield
    peer.close()


@pytest.fixture
def running(opened: Opened, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(
        [sys.executable, "-m", "demo.stores", "--data-dir", str(tmp_path)],
        cwd=PROJECT,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        yield process
        process.terminate()
        process.wait(timeout=20)


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=2).is_success
    except httpx.TransportError:
        return False


def all_answer(at: Addresses) -> bool:
    return all(answers(f"{at.url(name)}/_ready") for name in STORES)


def children_of(pid: int) -> dict[str, int]:
    """The processes that a process has started, by the store that they are."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().decode().split("\0")
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == pid:
                found[words[2].rpartition(".")[2]] = int(entry.name)
    return found


def test_they_wait_for_the_instance_and_one_that_ends_is_started_again(
    opened, running, request
) -> None:
    at = opened.addresses
    assert not within(2, lambda: any(answers(f"{at.url(name)}/_ready") for name in STORES))
    request.getfixturevalue("backend")
    assert within(30, lambda: all_answer(at))
    assert within(30, lambda: answers(f"{at.url('phone')}/"))

    google = f"{at.url('google')}/_purchases"
    sale = {"lines": [{"product_id": "coins_500", "price_micros": 4_990_000}]}
    token = httpx.post(google, json=sale).json()["token"]
    os.kill(children_of(running.pid)["google"], signal.SIGKILL)
    assert within(5, lambda: not answers(f"{at.url('google')}/_ready"))
    assert within(30, lambda: answers(f"{at.url('google')}/_ready"))
    assert httpx.get(f"{google}/{token}").json()["state"] == "PURCHASED"

    children = children_of(running.pid)
    running.terminate()
    running.wait(timeout=20)
    assert children.keys() == {*STORES, "phone"}
    assert within(5, lambda: not any(Path(f"/proc/{pid}").exists() for pid in children.values()))


def test_an_instance_that_is_given_their_settings_speaks_with_them(
    opened, running, backend
) -> None:
    at = opened.addresses
    assert within(30, lambda: all_answer(at))
    told = dict(opened.environment)
    unset = {name: "" for name in registry.ProviderSettings.__annotations__ if name not in told}
    settings = SimpleNamespace(
        **{
            **unset,
            **told,
            "APPLE_APPS": [told["APPLE_APPS"]],
            "APPLE_ENVIRONMENTS": ["production"],
            "STRIPE_GRACE_DAYS": 7,
        }
    )
    adapters: Any = registry.adapters(settings)
    assert adapters.keys() == set(STORES)
    unknown = {"apple": "1", "google": "nobody-bought-by-this", "stripe": "sub_nobody"}
    for name, adapter in adapters.items():
        with pytest.raises(ProviderError) as refusal:
            adapter.subscription(
                environment="production", subscription_id=unknown[name], now=clock.read()
            )
        assert refusal.value.fault is Fault.GONE, name
        adapter.close()


def test_what_a_former_run_made_is_kept_and_the_ports_are_new(tmp_path: Path) -> None:
    first = opening.prepare(tmp_path, backend="http://127.0.0.1:8000")
    second = opening.prepare(tmp_path, backend="http://127.0.0.1:8001")
    kept = ("APPLE_PRIVATE_KEY", "APPLE_KEY_ID", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRETS")
    assert {name: first.environment[name] for name in kept} == {
        name: second.environment[name] for name in kept
    }
    assert addresses.read(tmp_path) == second.addresses
    assert second.addresses.webhook("apple") == "http://127.0.0.1:8001/v1/webhooks/apple"
    assert addresses.read(tmp_path / "nowhere") is None

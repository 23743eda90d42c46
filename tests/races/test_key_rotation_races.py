"""AdMob signs with a new key while callbacks stream in: each is paid, once, by the last of its five repetitions."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import connection, transaction
from django.db.models import F
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from ads import adapters, verifier_keys
from ads.models import AdSession, Callback, Placement, Reward, VerifierKeys
from ads.networks.fake import FakeAdNetwork
from ads.verifier_keys import Wanted
from config import clock
from demo import ports
from demo.networks.server import AdNetworks
from tests import ledger_rules
from tests.factories.ads import PlacementFactory, ad_session
from tests.factories.viewers import ViewerFactory
from tests.proof import Proof

STREAMS, ADS_EACH = 4, 5
#: More than what we wait between two fetches of the keys.
A_MINUTE = timedelta(seconds=61)
PATIENCE_SECONDS = 60.0

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def admob(live_server: LiveServer, settings: Settings, tmp_path: Path) -> Iterator[httpx.Client]:
    """AdMob, as its console is reached: it publishes its keys, and calls our server."""
    peer = AdNetworks(tmp_path / "networks", target=f"{live_server.url}/v1/ssv").peer
    port = ports.any_free()
    threading.Thread(target=peer.serve, args=[port], daemon=True).start()
    settings.ADMOB_KEYS_URL = f"http://127.0.0.1:{port}/admob/verifier-keys.json"
    adapters._adapters.cache_clear()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS) as client:
        wait_until(lambda: _serves(client))
        yield client
    adapters._adapters.cache_clear()


def _serves(client: httpx.Client) -> bool:
    try:
        return client.get("/_ready").status_code == 204
    except httpx.TransportError:
        return False


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.02)


@pytest.fixture
def worker(admob: httpx.Client) -> Iterator[None]:
    """Does what a worker does that is rung for: it fetches the keys when they are due."""
    is_over = Event()

    def work() -> None:
        try:
            while not is_over.wait(0.05):
                verifier_keys.refresh(now=clock.read())
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    is_over.set()
    thread.join()


def _opened(placement: Placement) -> list[AdSession]:
    """Sessions whose ads are shown now, each to a viewer of its own."""
    now = clock.read()
    viewers = ViewerFactory.create_batch(STREAMS * ADS_EACH)
    return [ad_session(placement, viewer_id=one.id, episode_id=None, now=now) for one in viewers]


def _watch(admob: httpx.Client, session: AdSession) -> None:
    view = {
        "network": "admob",
        "ad_unit": session.ad_unit_id,
        "custom_data": session.id.hex,
        "user_id": session.viewer_id.hex,
    }
    assert admob.post("/views", json=view).status_code == 200


def _rotate(admob: httpx.Client) -> None:
    answer = admob.post("/_commands/rotate_keys", json={"keeps_old": True})
    assert answer.status_code == 200


@pytest.mark.usefixtures("worker")
def test_every_callback_is_paid_once_while_admob_changes_its_key(
    admob: httpx.Client, proof: Proof
) -> None:
    placement: Placement = PlacementFactory(
        network="admob", ad_unit_id="ca-app-pub-1/9", reward="coins", reward_amount=1
    )
    wait_until(lambda: VerifierKeys.objects.filter(fetched_at__isnull=False).exists())
    sessions = list[AdSession]()
    for _ in range(proof.rounds(full=20)):
        # All that was a while ago: the network is asked for its keys once a minute.
        moments = ("fetched_at", "attempted_at", "wanted_at")
        VerifierKeys.objects.update(**{name: F(name) - A_MINUTE for name in moments})
        opened = _opened(placement)
        sessions += opened
        starting = Barrier(STREAMS + 1)

        def stream(number: int, opened: Any = opened, starting: Barrier = starting) -> None:
            starting.wait(timeout=PATIENCE_SECONDS)
            for session in opened[number::STREAMS]:
                _watch(admob, session)

        with ThreadPoolExecutor(STREAMS + 1) as pool:
            streams = [pool.submit(stream, number) for number in range(STREAMS)]
            starting.wait(timeout=PATIENCE_SECONDS)
            wait_until(partial(_has_come, opened[0]))
            _rotate(admob)
            for one in streams:
                one.result()
        # Whoever comes after the others is sure to be signed with the new key.
        (last,) = _opened(placement)[:1]
        sessions.append(last)
        _watch(admob, last)
        wait_until(lambda: admob.get("/_callbacks").json()["waiting"] == [])

    told = admob.get("/_callbacks").json()
    found = [f"given up: {one}" for one in told["given_up"]]
    found += [f"{one['status']} {one['body']}" for one in told["attempts"] if _is_odd(one)]
    found += [f"{one.id} has {times}" for one in sessions if (times := _times_paid(one)) != (1, 1)]
    assert ledger_rules.broken() == []
    assert {one["status"] for one in told["attempts"]} == {200, 403}, "no key was new to us"
    proof.count = len(sessions)
    proof.record(
        "P11",
        "callbacks of AdMob's that stream in while it changes its key: each paid once, none a 5xx",
        violations=len(found),
    )
    assert found == []


def _has_come(session: AdSession) -> bool:
    return Callback.objects.filter(session=session).exists()


def _is_odd(attempt: Any) -> bool:
    """Whether it is neither paid nor refused, so that AdMob sends it again."""
    if attempt["status"] == 200:
        return '"paid"' not in attempt["body"]
    return bool(attempt["status"] != 403)


def _times_paid(session: AdSession) -> tuple[int, int]:
    return (
        Reward.objects.filter(session=session).count(),
        Callback.objects.filter(session=session, verdict="paid", replay_count=0).count(),
    )


def test_keys_that_were_fetched_in_this_moment_are_not_wanted_anew(now: datetime) -> None:
    """Forced: they are fetched between a callback's look at them and its mark. Another fetch, when they have rested,
    would leave nobody to ask for a minute."""
    document = FakeAdNetwork(ec.generate_private_key(ec.SECP256R1())).document()
    VerifierKeys.objects.create(network="admob", document=document, fetched_at=now - A_MINUTE)

    def want() -> Wanted:
        try:
            return verifier_keys.want("admob", now=now + A_MINUTE)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            VerifierKeys.objects.update(fetched_at=now)
            wanting = pool.submit(want)
            with pytest.raises(TimeoutError):
                wanting.result(timeout=0.5)
        found = wanting.result(timeout=5)

    assert (found.is_in_vain, found.is_first) == (False, False)
    assert VerifierKeys.objects.get().wanted_at is None

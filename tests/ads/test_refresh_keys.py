"""The keys of ad networks are fetched ahead of time, from a real server, and never in a request."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings as project
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings

from ads import adapters, tasks, verifier_keys
from ads.models import AdSession, Callback, Placement, Reward, VerifierKeys
from ads.networks.fake import FakeAdNetwork
from catalog.models import Series
from config import celery
from tests.factories.ads import PlacementFactory, ad_session
from tests.factories.viewers import clock_headers
from tests.payments.calls import episode
from viewers.models import Device

GOOGLE_NOW, GOOGLE_LATER = (
    FakeAdNetwork(ec.derive_private_key(number, ec.SECP256R1()), key_id=number)
    for number in (1001, 1002)
)
#: As sent on the wire; anything but a document that can be read is a fetch that failed.
BROKEN: dict[str, dict[str, Any]] = {
    "an error": {"status": 500},
    "nothing there": {"status": 404},
    "elsewhere": {"status": 302, "headers": {"Location": "/moved"}},
    "no document": {"body": b"<html>"},
    "a document without keys": {"body": b'{"keys": []}'},
    "too much": {"body": b" " * (1024 * 1024 + 1)},
    "nothing": {"body": b""},
    "a cut answer": {"headers": {"Content-Length": "999"}, "body": b"{"},
}


class Gstatic:
    """A server of key documents on this machine, which answers as it is told."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status, self.headers, self.body = 200, dict[str, str](), GOOGLE_NOW.document()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}/verifier-keys.json"

    def answers(
        self, *, status: int = 200, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> None:
        """From now on, to everybody."""
        self.status, self.headers = status, headers or {}
        self.body = GOOGLE_NOW.document() if body is None else body

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        peer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                peer.asked.append(self.path)
                self.send_response(peer.status)
                if "Content-Length" not in peer.headers:
                    self.send_header("Content-Length", str(len(peer.body)))
                for name, value in peer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(peer.body)

            def log_message(self, *_: Any) -> None:
                """A test's output is its own."""

        return Handler


@contextmanager
def _served(peer: Gstatic) -> Iterator[None]:
    thread = threading.Thread(target=peer.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        peer.server.shutdown()
        peer.server.server_close()
        thread.join()


@pytest.fixture
def gstatic(settings: Settings) -> Iterator[Gstatic]:
    peer = Gstatic()
    settings.ADMOB_KEYS_URL = peer.url
    adapters._adapters.cache_clear()
    with _served(peer):
        yield peer
    adapters._adapters.cache_clear()


@pytest.fixture
def placement(_the_ledger_holds: None) -> Placement:
    return PlacementFactory(code="paywall", network="admob", ad_unit_id="ca-app-pub-1/9")


@pytest.fixture
def session(placement: Placement, series: Series, device: Device, now: datetime) -> AdSession:
    return ad_session(placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=now)


def call(api: Client, session: AdSession, signer: FakeAdNetwork, *, now: datetime) -> Any:
    query = signer.watched(
        ad_unit_id=session.ad_unit_id,
        custom_data=session.id.hex,
        user_id=session.viewer_id.hex,
        now=now,
    )
    return api.get(f"/v1/ssv/admob?{query}", headers=clock_headers(now))


#: The network has published no such key; and nobody can know whether it has.
UNKNOWN, OUT_OF_REACH = (403, "verifier_key_unknown", "1"), (503, "verifier_keys_unavailable", "1")


def refusal(response: Any) -> tuple[int, str, str | None]:
    return response.status_code, response.json()["code"], response.headers.get("Retry-After")


def kept() -> VerifierKeys:
    return VerifierKeys.objects.get(network="admob")


def test_fetches_the_keys_of_a_network_that_a_placement_uses(
    gstatic: Gstatic, placement: Placement, now: datetime
) -> None:
    assert verifier_keys.refresh(now=now) == 1

    assert (bytes(kept().document), kept().fetched_at) == (GOOGLE_NOW.document(), now)
    assert (kept().failure, kept().max_age_seconds) == ("", 86_400)
    assert gstatic.asked == ["/verifier-keys.json"]
    assert list(verifier_keys.current("admob")) == [1001]


def test_asks_nobody_while_no_placement_uses_the_network(
    db: None, gstatic: Gstatic, now: datetime
) -> None:
    PlacementFactory(network="fake")

    assert verifier_keys.refresh(now=now) == 0
    assert gstatic.asked == []


def test_begins_with_the_key_that_we_ship(
    db: None, gstatic: Gstatic, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(1):
        assert list(verifier_keys.current("admob")) == [3335741209]


@pytest.mark.parametrize(
    ("cache_control", "half"),
    [
        (None, timedelta(hours=12)),
        ("public, max-age=3600", timedelta(minutes=30)),
        ("PUBLIC, MAX-AGE=3600", timedelta(minutes=30)),
        ("max-age=86400", timedelta(hours=12)),
        ("max-age=31536000", timedelta(hours=12)),
        ("max-age=" + "9" * 5000, timedelta(hours=12)),
        ("max-age=0", timedelta(minutes=1)),
        ("max-age=soon, no-store", timedelta(hours=12)),
        ("max-age=\u0665".encode().decode("latin-1"), timedelta(hours=12)),
    ],
)
def test_fetches_again_at_half_the_age_that_the_network_allows(
    gstatic: Gstatic,
    placement: Placement,
    now: datetime,
    cache_control: str | None,
    half: timedelta,
) -> None:
    gstatic.answers(headers={"Cache-Control": cache_control} if cache_control else {})
    verifier_keys.refresh(now=now)

    assert verifier_keys.refresh(now=now + half - timedelta(milliseconds=1)) == 0
    assert verifier_keys.refresh(now=now + half) == 1
    assert len(gstatic.asked) == 2


@pytest.mark.parametrize("answer", BROKEN.values(), ids=list(BROKEN))
def test_keeps_the_old_keys_when_a_fetch_fails_and_shows_it(
    gstatic: Gstatic, placement: Placement, now: datetime, answer: dict[str, Any]
) -> None:
    verifier_keys.refresh(now=now)
    later = now + timedelta(hours=13)
    gstatic.answers(**answer)

    assert verifier_keys.refresh(now=later) == 0

    assert (bytes(kept().document), kept().fetched_at) == (GOOGLE_NOW.document(), now)
    assert kept().failure != ""
    assert "/moved" not in gstatic.asked
    gstatic.answers(body=GOOGLE_LATER.document())
    assert verifier_keys.refresh(now=later + timedelta(seconds=59)) == 0
    assert verifier_keys.refresh(now=later + timedelta(seconds=60)) == 1
    assert kept().failure == ""


def test_keeps_the_old_keys_when_nobody_answers(
    gstatic: Gstatic, placement: Placement, settings: Settings, now: datetime
) -> None:
    settings.ADMOB_KEYS_URL = "http://127.0.0.1:1/verifier-keys.json"
    adapters._adapters.cache_clear()

    assert verifier_keys.refresh(now=now) == 0
    assert kept().failure.startswith("ConnectError")
    assert list(verifier_keys.current("admob")) == [3335741209]


def test_the_networks_new_key_is_fetched_when_a_callback_names_it(
    api: Client, gstatic: Gstatic, session: AdSession, now: datetime
) -> None:
    verifier_keys.refresh(now=now)
    gstatic.answers(body=GOOGLE_LATER.document())
    at = now + timedelta(minutes=5)

    first = call(api, session, GOOGLE_LATER, now=at)
    assert (first.status_code, first.json()["code"]) == (403, "verifier_key_unknown")
    assert first.headers["Retry-After"] == "1"
    assert kept().wanted_at == at
    assert len(gstatic.asked) == 1  # nothing is fetched inside a request
    assert not Callback.objects.exists()

    assert verifier_keys.refresh(now=at) == 1
    again = call(api, session, GOOGLE_LATER, now=at + timedelta(seconds=1))
    assert again.json() == {"verdict": "paid"}
    assert Reward.objects.count() == 1


def test_a_key_that_a_fetch_since_does_not_have_is_refused(
    api: Client, gstatic: Gstatic, session: AdSession, now: datetime
) -> None:
    verifier_keys.refresh(now=now)
    at = now + timedelta(minutes=5)
    assert refusal(call(api, session, GOOGLE_LATER, now=at)) == UNKNOWN
    verifier_keys.refresh(now=at)

    refused = call(api, session, GOOGLE_LATER, now=at + timedelta(seconds=1))

    assert (refused.status_code, refused.json()["code"]) == (403, "callback_forged")
    assert Callback.objects.get().verdict == "refused"
    # A minute later the network may have published it.
    assert refusal(call(api, session, GOOGLE_LATER, now=at + timedelta(minutes=2))) == UNKNOWN


def test_a_key_id_that_is_made_up_is_no_failure_of_ours_while_the_keys_are_current(
    api: Client, gstatic: Gstatic, session: AdSession, now: datetime
) -> None:
    """However long ago they were fetched, and however often it comes."""
    verifier_keys.refresh(now=now)
    for minutes in (1, 5, 50, 23 * 60):
        answer = call(api, session, GOOGLE_LATER, now=now + timedelta(minutes=minutes))
        assert refusal(answer) == UNKNOWN
        assert not Callback.objects.exists()


@pytest.mark.parametrize(
    ("since_fetched", "answer"),
    [
        (timedelta(hours=1) - timedelta(microseconds=1), UNKNOWN),
        (timedelta(hours=1), OUT_OF_REACH),
    ],
)
def test_keys_past_their_age_are_out_of_reach(
    api: Client,
    gstatic: Gstatic,
    session: AdSession,
    now: datetime,
    since_fetched: timedelta,
    answer: tuple[int, str, str],
) -> None:
    gstatic.answers(headers={"Cache-Control": "max-age=3600"})
    verifier_keys.refresh(now=now)

    assert refusal(call(api, session, GOOGLE_LATER, now=now + since_fetched)) == answer


def test_keys_whose_server_failed_last_are_out_of_reach_until_they_are_fetched(
    api: Client, gstatic: Gstatic, session: AdSession, now: datetime
) -> None:
    """And what is signed with a key that is known pays all the while."""
    assert refusal(call(api, session, GOOGLE_LATER, now=now)) == OUT_OF_REACH  # never fetched
    verifier_keys.refresh(now=now)
    later = now + timedelta(minutes=5)
    assert refusal(call(api, session, GOOGLE_LATER, now=later)) == UNKNOWN
    gstatic.answers(status=500)
    verifier_keys.refresh(now=later)
    assert refusal(call(api, session, GOOGLE_LATER, now=later)) == OUT_OF_REACH

    assert call(api, session, GOOGLE_NOW, now=later).json() == {"verdict": "paid"}

    gstatic.answers()
    verifier_keys.refresh(now=later + timedelta(minutes=1))
    again = call(api, session, GOOGLE_LATER, now=later + timedelta(minutes=3))
    assert refusal(again) == UNKNOWN


def test_a_stranger_makes_us_fetch_once_a_minute_and_write_once_a_fetch(
    api: Client, gstatic: Gstatic, session: AdSession, now: datetime
) -> None:
    verifier_keys.refresh(now=now)
    gstatic.answers(status=500)
    for second in range(60, 180, 5):
        moment = now + timedelta(seconds=second)
        # Nobody has failed to fetch them before it asks for the first time.
        wanted = UNKNOWN if second == 60 else OUT_OF_REACH
        assert refusal(call(api, session, GOOGLE_LATER, now=moment)) == wanted
        verifier_keys.refresh(now=moment)

    assert kept().wanted_at == now + timedelta(seconds=60)
    assert len(gstatic.asked) == 1 + 2


@pytest.mark.django_db(transaction=True)
def test_the_task_fetches_outside_of_any_transaction(
    gstatic: Gstatic, monkeypatch: pytest.MonkeyPatch
) -> None:
    PlacementFactory(network="admob")
    seen = []
    fetch = verifier_keys.fetch

    def watch(url: str) -> Any:
        seen.append(connection.in_atomic_block)
        return fetch(url)

    monkeypatch.setattr(verifier_keys, "fetch", watch)

    assert tasks.refresh_verifier_keys() == 1
    assert seen == [False]


def test_the_sweeper_asks_for_it() -> None:
    assert "ads.tasks.refresh_verifier_keys" in project.SWEPT_TASKS
    assert tasks.refresh_verifier_keys.name == "ads.tasks.refresh_verifier_keys"


def test_rings_for_the_keys_once(
    api: Client, gstatic: Gstatic, session: AdSession, now: datetime
) -> None:
    with celery.app.connection_for_read() as broker:
        queue = broker.default_channel.client
        waiting = queue.llen("celery")

        for second in range(3):
            moment = now + timedelta(seconds=second)
            assert refusal(call(api, session, GOOGLE_LATER, now=moment)) == OUT_OF_REACH

        assert queue.llen("celery") == waiting + 1


def test_a_rotation_with_both_keys_refuses_neither(
    api: Client,
    gstatic: Gstatic,
    placement: Placement,
    series: Series,
    device: Device,
    now: datetime,
) -> None:
    both = [json.loads(signer.document())["keys"][0] for signer in (GOOGLE_NOW, GOOGLE_LATER)]
    gstatic.answers(body=json.dumps({"keys": both}).encode())
    verifier_keys.refresh(now=now)

    for number, signer in ((9, GOOGLE_NOW), (10, GOOGLE_LATER)):
        session = ad_session(
            placement, viewer_id=device.viewer_id, episode_id=episode(series, number), now=now
        )
        assert call(api, session, signer, now=now).json() == {"verdict": "paid"}

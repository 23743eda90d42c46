"""The ad networks of our own call us over the wire as each of them does, and lie when they are told to."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from ads.networks import registry
from ads.networks.base import Keys, NetworkAdapter, NetworkError, SignedReward
from config import clock
from demo import ports
from demo.networks import sending
from demo.networks.server import AdNetworks
from demo.stores.deliveries import Deliveries
from demo.stores.messages import Answer, Request
from demo.stores.peer import Clock, Peer, Route

pytestmark = pytest.mark.matrix(3)

SESSION, VIEWER = "0199a0b1c2d37e4f8091a2b3c4d5e6f7", "0199ffeeddcc7bbbaaaa999988887777"
SECRET = "an-address-that-nobody-knows-0123"
UNITS = {
    "admob": "ca-app-pub-1/5224354917",
    "applovin": "9ad0816ac071552a",
    "levelplay": "a1b2c3d4e",
    "unity": "Rewarded_Android",
    "pangle": "980000001",
    "wechat": "adunit-0123456789abcdef",
}
EVERY = pytest.mark.parametrize("network", list(UNITS))


class Stage:
    """The networks, and our side, which verifies and answers what its adapters say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "networks"
        (folder / "ours").mkdir(parents=True)
        self.begin(told_before={})
        ours = Peer(
            routes=[Route("GET", f"/ssv/([a-z]+)(/{SECRET})?", self._receive)],
            folder=folder / "ours",
            clock=Clock(),
            deliveries=Deliveries(threads=0),
        )
        self.ours = self._served(ours)
        self.networks = AdNetworks(
            self.folder, target=f"{self.ours.base_url}/ssv", address_secret=SECRET
        )
        self.http = self._served(self.networks.peer)
        self.adapters = self._adapters()

    def begin(self, *, told_before: Any) -> None:
        """Nothing has come yet that counts."""
        self.read: list[SignedReward] = []
        self.refused: list[str] = []
        self.is_deaf = False
        self.expected = 0
        self.skipped = {name: len(told_before.get(name, ())) for name in ("attempts", "given_up")}

    def _served(self, peer: Peer) -> httpx.Client:
        port = ports.any_free()
        threading.Thread(target=peer.serve, args=[port], daemon=True).start()
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10)
        wait_until(lambda: answers(client))
        return client

    def _adapters(self) -> Mapping[str, NetworkAdapter]:
        told = self.http.get("/_settings", params={"pangle": UNITS["pangle"]}).json()
        rest = {
            "ADMOB_KEYS_URL": f"{self.http.base_url}/admob/verifier-keys.json",
            "APPLOVIN_TEMPLATE": "event_token_all",
            "PROVISIONAL_AD_NETWORKS": [],
            "FAKE_AD_NETWORK": False,
            "FAKE_AD_NETWORK_KEY": "",
        }
        settings: Any = SimpleNamespace(**told, **rest)
        return registry.adapters(settings, seal_keys=["a"])

    def verified(self, network: str, query: str) -> SignedReward:
        """What our side makes of a callback, with the keys that are published now."""
        adapter = self.adapters[network]
        keys: Keys = {}
        if adapter.keys_url:
            keys = adapter.keys(self.http.get("/admob/verifier-keys.json").content)
        return adapter.verify(query, keys, now=clock.read())

    def _receive(self, request: Request, match: "re.Match[str]") -> Answer:
        if self.is_deaf:
            return Answer(status=503)
        network = match[1]
        assert (match[2] is None) == (network == "admob")
        try:
            reward = self.verified(network, urlsplit(request.target).query)
        except NetworkError as error:
            self.refused.append(error.fault)
            return Answer(status=403)
        is_new = reward.transaction_id not in {one.transaction_id for one in self.read}
        self.read.append(reward)
        verdict = "paid" if is_new else "replayed"
        reply = self.adapters[network].reply(reward, verdict=verdict, is_paid=True)
        return Answer(reply.status, reply.body, reply.content_type)

    def watch(self, network: str, **of: Any) -> Any:
        """An ad is watched; everything that goes out for it at once has been answered."""
        given = self.adapters[network].hand_over(
            session=SESSION, viewer=VIEWER, ad_unit_id=UNITS[network], now=clock.read()
        )
        body = {
            "network": network,
            "ad_unit": UNITS[network],
            "custom_data": given.custom_data,
            "user_id": given.user_id,
        }
        answer = self.http.post("/views", json=body | of)
        assert answer.status_code == 200, answer.text
        sent = len(answer.json()["callbacks"])
        self.expected += sent
        if not of.get("late_seconds"):
            wait_until(lambda: len(self.attempts()) >= self.expected)
        return answer.json()

    def told(self) -> Any:
        told = self.http.get("/_callbacks").json()
        return told | {name: told[name][number:] for name, number in self.skipped.items()}

    def attempts(self) -> list[Any]:
        return list(self.told()["attempts"])


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/_ready").status_code == 204
    except httpx.TransportError:
        return False


def wait_until(is_so: Callable[[], bool], seconds: float = 15) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("stage"))
    yield stage
    stage.http.close()
    stage.ours.close()


@pytest.fixture
def stage(built: Stage) -> Stage:
    """As it was built: what another test left on its way has arrived or was given up."""
    wait_until(lambda: built.http.post("/_callbacks/flush").json() == {"left": 0})
    built.begin(told_before=built.http.get("/_callbacks").json())
    return built


@EVERY
def test_reports_a_view_that_our_side_can_verify(stage: Stage, network: str) -> None:
    stage.watch(network)

    (reward,) = stage.read
    assert (reward.custom_data, reward.user_id) == (SESSION, VIEWER)
    assert reward.ad_unit in {UNITS[network].rpartition("/")[2], None}
    (attempt,) = stage.attempts()
    assert (attempt["network"], attempt["status"]) == (network, 200)
    assert attempt["is_understood"]
    assert stage.told()["waiting"] == []


@EVERY
def test_signs_as_a_stranger(stage: Stage, network: str) -> None:
    stage.watch(network, lie="wrong_signature")

    assert (stage.read, stage.refused) == ([], ["forged"])


@EVERY
def test_alters_the_amount_which_is_refused_or_means_nothing(stage: Stage, network: str) -> None:
    honest = stage.watch(network)["callbacks"][0]
    altered = stage.watch(network, lie="altered_amount")["callbacks"][0]

    assert re.search("amount=9999|rewards=9999", altered)
    assert not re.search("amount=9999|rewards=9999", honest)
    if network == "pangle":  # whose signature covers no amount, and which nobody reads
        assert len(stage.read) == 2
    else:
        assert (len(stage.read), len(stage.refused)) == (1, 1)


@EVERY
def test_comes_again_with_the_same(stage: Stage, network: str) -> None:
    stage.watch(network, lie="replayed")

    assert len(stage.read) == 4
    assert len({reward.transaction_id for reward in stage.read}) == 1
    assert all(attempt["is_understood"] for attempt in stage.attempts())


@EVERY
def test_reports_one_view_under_two_names(stage: Stage, network: str) -> None:
    stage.watch(network, lie="duplicate")

    assert len({reward.transaction_id for reward in stage.read}) == 2
    assert {reward.custom_data for reward in stage.read} == {SESSION}


@EVERY
def test_reports_a_view_of_a_session_that_nobody_opened(stage: Stage, network: str) -> None:
    stage.watch(network, lie="orphan")

    (reward,) = stage.read
    assert reward.custom_data != SESSION
    assert reward.user_id == VIEWER


@EVERY
def test_tells_of_an_hour_before_the_ad_was_shown(stage: Stage, network: str) -> None:
    stage.watch(network, lie="before_shown")

    (reward,) = stage.read
    if reward.watched_at is not None:
        assert 3600 <= (clock.read() - reward.watched_at).total_seconds() < 3700
    else:
        assert network in {"unity", "pangle", "wechat"}


@EVERY
def test_loses_a_callback(stage: Stage, network: str) -> None:
    assert stage.watch(network, lie="lost")["callbacks"] == []

    assert (stage.attempts(), stage.read) == ([], [])


def test_comes_late(stage: Stage) -> None:
    stage.watch("applovin", lie="late", late_seconds=3600)
    assert (len(stage.told()["waiting"]), stage.read) == (1, [])

    assert stage.http.post("/_callbacks/flush").json() == {"left": 0}

    assert len(stage.read) == 1


def test_lies_as_often_as_it_is_told_and_the_same_by_the_same_seed(stage: Stage) -> None:
    habits = {"shares": {"lost": 0.5, "replayed": 0.2}, "seed": 7}
    drawn = []
    for _ in range(2):
        assert stage.http.put("/_lies", json=habits).status_code == 204
        drawn.append([stage.watch("pangle")["lie"] for _ in range(20)])

    assert drawn[0] == drawn[1]
    assert set(drawn[0]) == {None, "lost", "replayed"}
    assert stage.http.put("/_lies", json={}).status_code == 204
    assert stage.watch("pangle")["lie"] is None


def test_admob_comes_again_every_second_until_it_is_answered_200(stage: Stage) -> None:
    stage.is_deaf = True
    stage.watch("admob")
    stage.is_deaf = False

    wait_until(lambda: len(stage.attempts()) == 2)

    assert [attempt["status"] for attempt in stage.attempts()] == [503, 200]
    first, second = (attempt["at"] for attempt in stage.attempts())
    assert first < second
    assert len(stage.read) == 1


@pytest.mark.parametrize(
    ("network", "calls"),
    [("admob", 6), ("levelplay", 28), ("unity", 1), ("pangle", 1)],
)
def test_gives_up_as_late_as_the_network_does(stage: Stage, network: str, calls: int) -> None:
    stage.is_deaf = True
    stage.watch(network)
    for _ in range(calls + 2):
        stage.http.post("/_callbacks/flush")

    assert len(stage.attempts()) == calls
    assert len(stage.told()["given_up"]) == 1
    assert stage.told()["waiting"] == []


def test_networks_that_read_no_answer_come_again_only_without_one(stage: Stage) -> None:
    stage.is_deaf = True
    for network in ("applovin", "wechat"):
        stage.watch(network)

    assert all(attempt["is_understood"] for attempt in stage.attempts())
    assert stage.told()["waiting"] == []


def test_wechat_waits_for_one_second(stage: Stage) -> None:
    slow = {"rules": [{"kind": "slow", "seconds": 1.3, "times": 1, "matching": "/ssv/wechat"}]}
    stage.ours.put("/_faults", json=slow)
    stage.watch("wechat")

    (attempt,) = stage.attempts()
    assert (attempt["status"], attempt["is_understood"]) == (0, False)
    wait_until(lambda: len(stage.read) == 1)  # it had come all the same
    stage.http.post("/_callbacks/flush")

    assert stage.attempts()[1]["is_understood"]
    assert len({reward.transaction_id for reward in stage.read}) == 1


def test_the_adapters_say_of_every_network_what_it_does_here(stage: Stage) -> None:
    for network, manner in sending.MANNERS.items():
        conduct = stage.adapters[network].conduct
        assert conduct.retries_seconds == manner.retries_seconds
        assert conduct.answer_within_seconds in {None, manner.patience_seconds}


def test_admob_signs_with_a_new_key_when_it_is_told(stage: Stage) -> None:
    before = stage.watch("admob")["callbacks"][0]
    published = stage.http.post("/_commands/rotate_keys", json={"keeps_old": True}).json()
    assert len(published["keys"]) == 2
    during = stage.watch("admob")["callbacks"][0]
    assert before.rpartition("=")[2] != during.rpartition("=")[2]
    assert [stage.verified("admob", query) for query in (before, during)] == stage.read

    stage.http.post("/_commands/rotate_keys", json={"keeps_old": False})

    for query in (before, during):
        with pytest.raises(NetworkError) as refused:
            stage.verified("admob", query)
        assert refused.value.fault == "unknown_key"
    listed = stage.http.get("/admob/verifier-keys.json")
    assert "max-age=3600" in listed.headers["Cache-Control"]
    assert len(listed.json()["keys"]) == 1


@pytest.mark.parametrize("network", ["admob", "levelplay", "wechat"])
def test_a_console_tries_our_address(stage: Stage, network: str) -> None:
    tried = stage.http.post("/probes", json={"network": network}).json()

    assert (tried["status"], tried["is_understood"]) == (200, True)
    assert [reward.is_probe for reward in stage.read] == [True]
    assert ("echostr" in tried["body"]) == (network == "wechat")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/views", {"network": "douyin"}, 400),
        ("/views", {"network": "x", "ad_unit": "", "custom_data": "", "user_id": ""}, 404),
        ("/views", {"lie": "any"}, 400),
        ("/probes", {"network": "unity"}, 404),
        ("/probes", {}, 400),
    ],
)
def test_refuses_what_no_network_does(stage: Stage, path: str, body: Any, status: int) -> None:
    assert stage.http.post(path, json=body).status_code == status
    assert stage.attempts() == []


def test_keeps_its_keys_and_goes_where_it_was_told_last(stage: Stage) -> None:
    told = stage.http.get("/_settings").json()
    keys = stage.http.get("/admob/verifier-keys.json").json()
    target = {"url": f"{stage.ours.base_url}/elsewhere", "secret": SECRET}
    assert stage.http.put("/_target", json=target).status_code == 204

    again = stage._served(AdNetworks(stage.folder).peer)
    back = {"url": f"{stage.ours.base_url}/ssv", "secret": SECRET}

    kept = {name for name in told if "REPORT" not in name and "ADMOB" not in name}
    assert {name: again.get("/_settings").json()[name] for name in kept} == {
        name: told[name] for name in kept
    }
    assert again.get("/admob/verifier-keys.json").json() == keys
    stage.watch("unity")
    assert [attempt["status"] for attempt in stage.attempts()] == [404]
    assert stage.http.put("/_target", json=back).status_code == 204
    again.close()


def test_runs_as_a_process_of_its_own(tmp_path: Path, stage: Stage) -> None:
    port = ports.any_free()
    arguments = ["--port", str(port), "--folder", str(tmp_path / "own")]
    target = ["--target", f"{stage.ours.base_url}/ssv", "--secret", SECRET]
    process = subprocess.Popen([sys.executable, "-m", "demo.networks", *arguments, *target])
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5) as client:
            wait_until(lambda: answers(client))
            body = {"network": "unity", "ad_unit": "u", "custom_data": "a" * 64, "user_id": ""}
            sent = client.post("/views", json=body).json()["callbacks"]
            wait_until(lambda: bool(client.get("/_callbacks").json()["attempts"]))
            assert client.get("/_settings").json()["AD_CALLBACK_SECRET"] == SECRET
        # Its secrets are its own.
        assert stage.refused == ["forged"]
        assert dict(parse_qsl(sent[0]))["sid"] == "a" * 64
    finally:
        process.terminate()
        process.wait(timeout=10)

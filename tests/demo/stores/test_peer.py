"""A peer answers, fails by command, tells what it was asked, and gets its notifications out."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from config import clock
from demo import ports
from demo.stores.deliveries import Deliveries, Manners
from demo.stores.messages import Answer
from demo.stores.peer import Clock, Peer, Route


class Shop:
    """A peer of its own with one address, and what it has received there."""

    def __init__(self, folder: Path) -> None:
        self.received: list[bytes] = []
        self.refused = 0
        self.stamps: list[str] = []
        self.deliveries = Deliveries()
        self.peer = Peer(
            routes=[
                Route("GET", "/things/([0-9]+)", lambda request, match: Answer.of(match[1])),
                Route("POST", "/inbox", self._receive),
            ],
            folder=folder,
            clock=Clock(),
            deliveries=self.deliveries,
        )
        port = ports.any_free()
        self.url = f"http://127.0.0.1:{port}"
        threading.Thread(target=self.peer.serve, args=[port], daemon=True).start()

    def _receive(self, request: object, match: object) -> Answer:
        body = request.body
        if not body.endswith(b" whole"):
            self.refused += 1
            return Answer(status=400)
        self.received.append(body)
        self.stamps.append(request.headers.get("x-clock", ""))
        return Answer(status=204)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
def client(shop: Shop) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shop.url, timeout=5) as opened:
        wait_until(lambda: answers(opened))
        yield opened


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/_ready").status_code == 204
    except httpx.TransportError:
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_answers_by_its_routes_and_tells_each_call(client: httpx.Client) -> None:
    assert client.get("/things/7").json() == "7"
    assert client.post("/things/7").status_code == 405
    assert client.get("/nothing").status_code == 404
    told = client.get("/_calls", params={"after": 1}).json()["calls"]
    assert [(call["number"], call["status"]) for call in told] == [(2, 405), (3, 404)]


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ({"kind": "status", "status": 502}, (502, "application/json")),
        ({"kind": "html"}, (200, "text/html; charset=utf-8")),
        ({"kind": "truncated"}, (200, "application/json")),
    ],
)
def test_fails_as_ordered_and_so_many_times(
    client: httpx.Client, fault: dict[str, object], seen: tuple[int, str]
) -> None:
    rules = [{"matching": "^GET /things/", "times": 2, **fault}]
    assert client.put("/_faults", json={"rules": rules}).status_code == 204
    for _ in range(2):
        answer = client.get("/things/1234")
        assert (answer.status_code, answer.headers["content-type"]) == seen
        assert answer.content != b'"1234"'
    assert client.get("/things/1234").json() == "1234"
    faults = [call["fault"] for call in client.get("/_calls").json()["calls"]]
    assert faults == [fault["kind"]] * 2 + [""]


def test_a_reset_connection_gives_no_answer_though_the_call_was_made(
    client: httpx.Client, shop: Shop
) -> None:
    client.put("/_faults", json={"rules": [{"kind": "reset", "times": 1}]})
    with pytest.raises(httpx.TransportError):
        client.post("/inbox", content=b"001 whole")
    assert shop.received == [b"001 whole"]


def test_what_is_ordered_wrongly_changes_nothing(client: httpx.Client) -> None:
    for rules in ([{"kind": "nothing"}], [{"kind": "html", "matching": "("}], "x"):
        assert client.put("/_faults", json={"rules": rules}).status_code == 400
    assert client.put("/_deliveries", json={"loose": 1}).status_code == 400
    assert client.post("/_clock", json={"advance_seconds": -1}).status_code == 400
    assert client.get("/things/1").json() == "1"


def test_its_time_goes_on_by_command(client: httpx.Client) -> None:
    before = client.get("/_clock").json()["now"]
    after = client.post("/_clock", json={"advance_seconds": 86_400}).json()["now"]
    assert after[:10] > before[:10]


def plain(body: bytes, sent_at: datetime) -> dict[str, str]:
    """No headers of its own."""
    return {}


def test_every_notification_that_is_not_lost_arrives_whole_once_it_is_answered(
    client: httpx.Client, shop: Shop
) -> None:
    shop.deliveries.order(
        Manners(
            lose=0.1, repeat=0.2, delay=0.3, delay_seconds=0.2, corrupt=0.2,
            retries_seconds=[0.05] * 8, seed=7,
        )
    )  # fmt: skip
    client.put("/_faults", json={"rules": [{"kind": "status", "rate": 0.2}], "seed": 3})
    bodies = {f"{number}": f"{number:03} whole".encode() for number in range(200)}
    for name, body in bodies.items():
        shop.deliveries.send(
            name=name, url=f"{shop.url}/inbox", headers=plain, body=body, at=clock.read()
        )
    assert client.post("/_deliveries/flush", timeout=30).status_code == 200
    wait_until(lambda: not shop.deliveries.told().waiting)

    told = shop.deliveries.told()
    assert 5 < len(told.lost) < 40
    assert told.given_up == []
    assert set(shop.received) == {bodies[name] for name in bodies.keys() - set(told.lost)}
    assert len(shop.received) > len(set(shop.received))
    assert shop.refused > 10
    assert shop.received != sorted(shop.received)


def test_nothing_goes_out_while_it_is_paused(client: httpx.Client, shop: Shop) -> None:
    shop.deliveries.order(Manners(is_paused=True))
    shop.deliveries.send(
        name="1", url=f"{shop.url}/inbox", headers=plain, body=b"001 whole", at=clock.read()
    )
    time.sleep(0.1)
    assert (shop.received, shop.deliveries.told().waiting) == ([], ["1"])
    client.put("/_deliveries", json={})
    wait_until(lambda: shop.received == [b"001 whole"])


def test_what_nobody_takes_is_given_up(client: httpx.Client, shop: Shop) -> None:
    shop.deliveries.order(Manners(retries_seconds=[0.01, 0.01]))
    shop.deliveries.send(
        name="1", url=f"{shop.url}/nowhere", headers=plain, body=b"001 whole", at=clock.read()
    )
    wait_until(lambda: shop.deliveries.told().given_up == ["1"])
    assert [one.status for one in shop.deliveries.told().attempts] == [404] * 3


def test_what_happened_in_simulated_days_arrives_then(client: httpx.Client, shop: Shop) -> None:
    sent: list[datetime] = []
    deliveries = Deliveries(stamp=lambda at: {"X-Clock": at.isoformat()})

    def headers(body: bytes, sent_at: datetime) -> dict[str, str]:
        sent.append(sent_at)
        return {}

    then, now = clock.read() - timedelta(days=3), clock.read()
    for name, at in (("1", then), ("2", now)):
        deliveries.send(
            name=name, url=f"{shop.url}/inbox", headers=headers, body=b"001 whole", at=at
        )
    wait_until(lambda: len(shop.stamps) == 2)
    assert sorted(shop.stamps) == ["", then.isoformat()]
    assert then in sent
    assert max(sent) >= now


def test_a_request_may_name_its_moment_and_the_time_may_be_set(client: httpx.Client) -> None:
    then = "2026-03-14T12:00:00+00:00"
    named = client.get("/_clock", headers={"X-Store-Clock": then}).json()["now"]
    assert datetime.fromisoformat(named) == datetime.fromisoformat(then)
    assert client.get("/_clock", headers={"X-Store-Clock": "soon"}).status_code == 400
    assert client.get("/_clock").json()["now"] > then

    assert client.put("/_clock", json={"now": then}).json()["now"][:10] == then[:10]
    assert client.get("/_clock").json()["now"][:10] == then[:10]
    assert client.put("/_clock", json={"now": "2026-03-14T12:00:00"}).status_code == 400
    back = datetime.fromisoformat(client.put("/_clock", json={}).json()["now"])
    assert abs(back - clock.read()) < timedelta(seconds=5)

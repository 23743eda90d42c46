"""All stores and our whole service, as processes: what is bought there arrives here over HTTP."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Barrier
from typing import Any, TypeVar

import httpx
import msgspec
import redis
from celery import Celery

from demo import ports
from demo.stores.deliveries import Manners
from tests.crash.instance import START_SECONDS, Instance
from tests.crash.undertaker import Undertaker
from tests.stores.console import Console
from tests.stores.seed import Customer, Population
from tests.stores.shops import Apple, Fake, Google, Peer, Shop, Sold, Stripe

Answer = TypeVar("Answer")

SETTLE_SECONDS = 120.0
RING_SECONDS = 3.0
#: A store in trouble is waited for no longer than our adapters do.
ANSWER_SECONDS = 60.0


class Market:
    """Where everybody meets. `market()` makes it."""

    def __init__(self, data_dir: Path, *, end: Undertaker) -> None:
        self.instance = Instance(data_dir, end=end)
        self.url = f"http://127.0.0.1:{self.instance.port}"
        self.app = httpx.Client(
            base_url=self.url,
            timeout=ANSWER_SECONDS,
            limits=httpx.Limits(max_connections=200, max_keepalive_connections=0),
        )
        told: dict[str, Any] = {"environment": dict(os.environ), "end": end}
        folder = data_dir / "stores"
        folder.mkdir()
        self.apple = Apple(folder / "apple", port=ports.any_free(), **told)
        self.google = Google(folder / "google", port=ports.any_free(), **told)
        self.stripe = Stripe(folder / "stripe", port=ports.any_free(), **told)
        self.peers: tuple[Peer, ...] = (self.apple, self.google, self.stripe)
        self.console = Console(self.instance.environment, end=end)

    def open(self, *, customers: int) -> None:
        """Start everything, and return when all of it serves."""
        for peer in self.peers:
            what = f"{peer.provider} serves"
            self.instance.wait_until(peer.answers, what, seconds=START_SECONDS)
            self.instance.environment |= peer.settings()
        seeded = self.instance.run("-m", "tests.stores.seed", str(customers))
        self.population = msgspec.json.decode(seeded, type=Population)
        self.apple.open(self.population)
        self.google.open(self.population)
        self.stripe.check_out = self.check_out
        self.fake = Fake(self.population)
        self.shops: Mapping[str, Shop] = {
            **{peer.provider: peer for peer in self.peers},
            "fake": self.fake,
        }
        self.instance.launch()
        self.calm()

    def calm(self) -> None:
        """Every store works, and its notifications come once, soon and whole."""
        for peer in self.peers:
            peer.fail()
        for name, shop in self.shops.items():
            shop.behave(Manners())
            shop.notify(f"{self.url}/v1/webhooks/{name}")

    def close(self) -> None:
        """Kill everything but the services, which are the undertaker's."""
        self.console.close()
        self.instance.stop()
        self.app.close()
        for peer in self.peers:
            peer.http.close()
            peer.program.kill_group()

    def post(self, path: str, buyer: Customer, **members: Any) -> httpx.Response:
        """A call of an app's."""
        headers = {"Authorization": f"Bearer {buyer.token}"}
        return self.app.post(f"/v1/{path}", json=members, headers=headers)

    def get(self, path: str, buyer: Customer) -> httpx.Response:
        """The same for what is only read."""
        return self.app.get(f"/v1/{path}", headers={"Authorization": f"Bearer {buyer.token}"})

    def hand_in(self, sold: Sold, buyer: Customer) -> httpx.Response:
        """An app tells of what was bought."""
        return self.post(f"purchases/{sold.provider}", buyer, transaction=sold.handed_in)

    def restore(self, sold: Sold, buyer: Customer, *, transfer: bool = False) -> httpx.Response:
        """An app wants back what its store's SDK has on the device."""
        return self.post(
            "purchases/restore",
            buyer,
            provider=sold.provider,
            transactions=[sold.handed_in],
            transfer=transfer,
        )

    def check_out(self, buyer: Customer) -> str:
        """A page of Stripe's for the pack; its session."""
        pack_id = str(self.population.pack.id)
        announced = insist(
            lambda: self.post("purchases/intents", buyer, pack_id=pack_id, provider="stripe")
        )
        assert announced.status_code == 201, announced.text
        opened = insist(
            lambda: self.post(
                f"purchases/intents/{announced.json()['intent_id']}/checkout",
                buyer,
                success_url="https://app.example/paid",
                cancel_url="https://app.example/",
            )
        )
        assert opened.status_code == 200, opened.text
        session_id: str = opened.json()["session_id"]
        return session_id

    def ring(self, *tasks: str) -> None:
        """Ask for due work, as the sweeper does."""
        broker_url = self.instance.endpoints().broker_url
        # Current, it would carry what this process rings for to the instance's broker from here on.
        with Celery(broker=broker_url, set_as_current=False) as app:
            for task in tasks:
                app.send_task(f"payments.tasks.{task}")

    def hurry(self) -> None:
        """Whatever was put off until later is due now, and no store is left alone for its silence."""
        with redis.Redis.from_url(self.instance.endpoints().cache_url) as cache:
            cache.flushdb()
        for table in ("storemessage", "storecall"):
            self.instance.query(
                f"UPDATE payments_{table} SET next_attempt_at = now() WHERE next_attempt_at > now()"
            )

    def read_histories_again(self) -> None:
        """The stores' histories are due to be read, however short ago they were."""
        self.instance.query(
            "UPDATE payments_storehistory SET read_at = read_at - interval '2 hours',"
            " next_attempt_at = NULL"
        )

    def read_histories(self) -> None:
        """Have them read now, and wait until all were: Apple's sandbox has one of its own."""
        (began_at,) = self.instance.query("SELECT clock_timestamp()")[0]
        read = "SELECT count(*) FROM payments_storehistory WHERE read_at >= %s"
        rung_at = time.monotonic() - RING_SECONDS

        def are_read() -> bool:
            nonlocal rung_at
            if self.instance.query(read, began_at) == [(len(self.shops) + 1,)]:
                return True
            # One that a worker was at by then passes a ring by, and is read as of before.
            if time.monotonic() - rung_at >= RING_SECONDS:
                rung_at = time.monotonic()
                self.instance.query(
                    "UPDATE payments_storehistory SET next_attempt_at = NULL"
                    " WHERE read_at IS NULL OR read_at < %s",
                    began_at,
                )
                self.ring("read_histories")
            return False

        self.wait_until(are_read, "all histories are read")

    def wait_until(
        self, condition: Callable[[], bool], what: str, *, seconds: float = SETTLE_SECONDS
    ) -> float:
        """Wait for something that must come true; how many seconds it took."""
        return self.instance.wait_until(condition, what, seconds=seconds)


def insist(
    call: Callable[[], httpx.Response], *, seconds: float = ANSWER_SECONDS
) -> httpx.Response:
    """The answer, as an app gets it that comes again when it is told to, or hears nothing."""
    until = time.monotonic() + seconds
    while True:
        try:
            answer = call()
        except httpx.TransportError:
            if time.monotonic() > until:
                raise
        else:
            is_later = answer.status_code in {409, 503} and "Retry-After" in answer.headers
            if not is_later or time.monotonic() > until:
                return answer
        time.sleep(0.2)


def at_once(calls: list[Callable[[], Answer]]) -> list[Answer]:
    """Makes calls in threads that start together; the first exception is raised."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Answer]) -> Answer:
        barrier.wait(timeout=60)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(run, call) for call in calls]]


@contextmanager
def market(*, customers: int) -> Iterator[Market]:
    """A market with so many customers, gone without a trace at the end."""
    data_dir = Path(tempfile.mkdtemp(prefix="cliffhanger-stores-"))
    data_dir.chmod(0o711)  # an unprivileged user serves it when root runs the suite
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, data_dir, ignore_errors=True)
        made = Market(data_dir, end=stack.enter_context(Undertaker(data_dir)))
        stack.callback(made.close)
        made.open(customers=customers)
        yield made

"""However many questions a store is asked while an app waits, all their answers are there in time, or none is waited
for."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext

import httpx
import pytest

from payments.providers import deadlines
from payments.providers.apple.adapter import AppleAdapter
from payments.providers.base import Fault, ProviderError
from payments.providers.google.adapter import GoogleAdapter
from payments.providers.stripe.adapter import StripeAdapter, StripeSettings
from tests.payments.providers.apple import pieces
from tests.payments.providers.google import play

Asking = Callable[[], object]


@pytest.fixture(autouse=True)
def _the_ledger_holds() -> None:
    """Nothing here moves money."""


class Clock:
    """Time that goes on as somebody answers."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


class Trickle(httpx.SyncByteStream):
    """A body whose every piece comes just in time."""

    def __init__(self, clock: Clock, pieces: int = 100) -> None:
        self._clock, self._pieces = clock, pieces

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self._pieces):
            self._clock.now += 1
            yield b" "


class Slow:
    """A store that answers so slowly; `steps` are the seconds that each answer was given for a step."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.began = clock.now
        self.steps: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.steps.append(max(request.extensions["timeout"].values()))
        return httpx.Response(200, stream=Trickle(self.clock))

    @property
    def waited_seconds(self) -> float:
        return self.clock.now - self.began


def apple(slow: Slow) -> Asking:
    adapter = AppleAdapter(pieces.settings(), transport=httpx.MockTransport(slow))
    return lambda: adapter.subscription(
        environment="production", subscription_id="1", now=pieces.NOW
    )


def google(slow: Slow) -> Asking:
    adapter = GoogleAdapter(play.settings(), http=httpx.MockTransport(slow))
    said = {"product_id": "vip", "purchase_token": play.TOKEN, "is_subscription": True}
    return lambda: adapter.submitted(json.dumps(said), now=play.NOW)


def stripe(slow: Slow) -> Asking:
    settings = StripeSettings(
        environment="sandbox", secret_key="sk_test_1", webhook_secrets=("whsec_1",)
    )
    adapter = StripeAdapter(settings, transport=httpx.MockTransport(slow))
    return lambda: adapter.submitted("cs_test_1", now=pieces.NOW)


STORES = pytest.mark.parametrize("store", [apple, google, stripe])


def refused(ask: Asking) -> None:
    with pytest.raises(ProviderError) as refusal:
        ask()
    assert refusal.value.fault is Fault.UNAVAILABLE


@STORES
@pytest.mark.parametrize(
    ("seconds", "at_most"), [(6.0, 7), (None, 31)], ids=["an app waits", "nobody waits"]
)
def test_no_answer_is_waited_for_longer(
    clock: Clock, store: Callable[[Slow], Asking], seconds: float | None, at_most: float
) -> None:
    slow = Slow(clock)
    ask = store(slow)
    with nullcontext() if seconds is None else deadlines.within(seconds):
        refused(ask)
    assert slow.waited_seconds <= at_most
    assert max(slow.steps) == (10 if seconds is None else seconds / 2)


@STORES
def test_nothing_is_asked_when_the_time_is_over(
    clock: Clock, store: Callable[[Slow], Asking]
) -> None:
    slow = Slow(clock)
    ask = store(slow)
    with deadlines.within(60), deadlines.within(6):
        clock.now += 6
        refused(ask)
    assert slow.steps == []


def test_what_is_around_ends_what_is_within(clock: Clock) -> None:
    with deadlines.within(2):
        with deadlines.within(6):
            assert deadlines.end_of_answer(30) == clock.now + 2
        assert deadlines.end_of_answer(1) == clock.now + 1
    assert deadlines.end_of_answer(30) == clock.now + 30

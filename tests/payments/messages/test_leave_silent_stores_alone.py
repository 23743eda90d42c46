"""A store that does not answer costs the others nothing, and a request no more than its patience."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from threading import Event

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.test import Client

from config import clock
from payments import tasks
from payments.messages import asking, inquiries, outages, outbox, settling
from payments.messages.outages import Line
from payments.models import Arrival, StoreCall, StoreMessage
from payments.providers import deadlines
from payments.providers.base import Fault, ProviderError, State
from payments.store import purchases
from tests.payments.calls import submit
from tests.payments.messages.conftest import Parrot
from tests.payments.subscribing import Story, plan, tell
from viewers.models import Device

DOWN = ProviderError("down", Fault.UNAVAILABLE)


def message(provider: str, number: int = 0, at: datetime | None = None) -> StoreMessage:
    at = at or clock.read()
    return StoreMessage.objects.create(
        provider=provider,
        environment="production",
        event_id=f"{provider}-{number}",
        type="renewed",
        arrived_by=Arrival.PUSHED,
        body=b"",
        occurred_at=at,
        received_at=at,
        next_attempt_at=at,
    )


def call(now: datetime, **changes: object) -> StoreCall:
    values = {
        "provider": "fake",
        "environment": "production",
        "verb": "consume",
        "subject": "token-1",
        "details": {"store_product_id": "coins"},
        "next_attempt_at": now,
        "created_at": now,
    }
    return StoreCall.objects.create(**values | changes)


def states(provider: str) -> set[str]:
    return set(StoreMessage.objects.filter(provider=provider).values_list("state", flat=True))


def test_the_others_are_served_and_it_is_asked_now_and_then(parrots: Sequence[Parrot]) -> None:
    google, stripe = parrots
    google.said = DOWN
    for number in range(30):
        message("google", number)
        message("stripe", number)
    tasks.settle_messages()
    assert states("stripe") == {"applied"}
    # Once it is out, one more call sees whether it is back.
    assert (google.asked, stripe.asked) == (outages.OUT_AFTER + 1, 30)
    tasks.settle_messages()
    assert google.asked == outages.OUT_AFTER + 1

    rung = message("google", 30)
    assert not tasks.settle_message(str(rung.id))
    outages.answered(Line.MESSAGES, "google")
    google.said = ()
    StoreMessage.objects.filter(state="waiting").update(next_attempt_at=clock.read())
    tasks.settle_messages()
    assert states("google") == {"applied"}


@pytest.mark.parametrize("what", ["message", "call"])
def test_a_workers_time_that_is_over_says_nothing_of_what_it_had_in_hand(
    parrot: Parrot, now: datetime, what: str
) -> None:
    parrot.said = SoftTimeLimitExceeded()
    row, settle = (
        (message("fake", at=now), settling.settle)
        if what == "message"
        else (call(now), outbox.settle)
    )
    with pytest.raises(SoftTimeLimitExceeded):
        settle(row.id, now=now)
    row.refresh_from_db()
    assert (row.state, row.failures) == ("waiting", 0)
    assert row.next_attempt_at == now + settling.TAKEN_FOR


def test_the_clock_is_looked_at_before_each(
    parrots: Sequence[Parrot], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        message("stripe", number)
    began = clock.read()
    ticks = iter(began + timedelta(seconds=4 * n) for n in range(1000))
    monkeypatch.setattr(clock, "read", lambda: next(ticks))
    assert 0 < tasks.settle_messages() < 5


def test_a_call_that_fails_unforeseen_fails_at_last(parrot: Parrot, now: datetime) -> None:
    row = call(now)
    parrot.said = KeyError("a bug")
    for day in range(outbox.POISON_FAILURES):
        settled = outbox.settle(row.id, now=now + timedelta(days=day))
    assert settled is not None
    assert settled.state == "failed"


def test_a_store_says_when_it_may_be_told(parrot: Parrot, now: datetime) -> None:
    parrot.said = ProviderError("busy", Fault.UNAVAILABLE, retry_after_seconds=900)
    settled = outbox.settle(call(now).id, now=now)
    assert settled is not None
    assert settled.next_attempt_at == now + timedelta(seconds=900)


class TestInquiries:
    """What is closed until it is paid is asked about, less and less often."""

    def asked(self, story: Story, state: State, now: datetime, *, days: int) -> list[float]:
        """After how many days it was asked about, with a look each hour."""
        tell(story.says(state, at=now), now=now)
        when = []
        for hour in range(0, days * 24, 3):
            at = now + timedelta(hours=hour)
            for found in inquiries.due(now=at):
                when.append(hour / 24)
                inquiries.ask(found, now=at)
        return when

    @pytest.mark.matrix(4)
    @pytest.mark.parametrize(
        "state", [State.ON_HOLD, State.PAUSED, State.BILLING_RETRY, State.PENDING]
    )
    def test_for_sixty_days(
        self, parrot: Parrot, device: Device, now: datetime, state: State
    ) -> None:
        parrot.said = DOWN
        when = self.asked(Story(device.viewer_id, now, plan()), state, now, days=70)
        assert when[:6] == [0.25, 0.5, 0.75, 1.0, 1.25, 2.25]
        assert 60 < max(when) < 62

    def test_until_the_store_knows_it_no_more(
        self, parrot: Parrot, device: Device, now: datetime
    ) -> None:
        parrot.said = ProviderError("gone", Fault.GONE)
        story = Story(device.viewer_id, now, plan())
        assert self.asked(story, State.ON_HOLD, now, days=10) == [0.25]
        later = now + timedelta(days=11)
        tell(story.says(State.PAUSED, at=later), now=later)
        assert len(inquiries.due(now=later + timedelta(hours=6))) == 1

    def test_and_a_recovery_that_nobody_told_of_is_found(
        self, parrot: Parrot, device: Device, now: datetime
    ) -> None:
        story = Story(device.viewer_id, now, plan())
        tell(story.says(State.ON_HOLD, at=now), now=now)
        parrot.said = (story.paid(1),)
        (found,) = inquiries.due(now=story.begins(1))
        assert inquiries.ask(found, now=story.begins(1))
        assert story.row().state == "active"


class Hanging(Parrot):
    """Does not answer until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.is_let_go = Event()

    def _say(self) -> tuple[()]:
        self.asked += 1
        self.is_let_go.wait(timeout=20)
        return ()


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Hanging:
    store = Hanging()
    monkeypatch.setattr(purchases, "adapters", lambda: {"fake": store})
    monkeypatch.setattr(deadlines, "WHILE_AN_APP_WAITS_SECONDS", 0.2)
    yield store
    store.is_let_go.set()


def took(call: Callable[[], object]) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began


class TestRequests:
    def test_wait_for_a_store_so_long_and_no_longer(
        self, api: Client, headers: dict[str, str], hanging: Hanging
    ) -> None:
        for number in range(outages.OUT_AFTER + 3):
            answer = submit(api, headers, f"page-{number}")
            assert (answer.status_code, answer.json()["reason"]) == (202, "store_unavailable")
        # No more at once than may be: the next found no turn.
        assert hanging.asked == asking.AT_ONCE

    def test_ask_no_more_once_a_store_has_not_answered(
        self, api: Client, headers: dict[str, str], hanging: Hanging
    ) -> None:
        body = {"provider": "fake", "transactions": [f"page-{number}" for number in range(20)]}

        def restore() -> None:
            told = api.post("/v1/purchases/restore", body, "application/json", headers=headers)
            assert {one["outcome"] for one in told.json()["restored"]} == {"waiting"}

        assert took(restore) < 5
        assert hanging.asked == 1
        assert StoreMessage.objects.count() == 20

    def test_leave_a_store_alone_that_is_out(
        self, api: Client, headers: dict[str, str], parrot: Parrot
    ) -> None:
        parrot.said = DOWN
        for number in range(outages.OUT_AFTER + 3):
            assert submit(api, headers, f"page-{number}").status_code == 202
        assert parrot.asked == outages.OUT_AFTER + 1

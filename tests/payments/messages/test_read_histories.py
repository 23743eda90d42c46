"""What never came is found in a store's history, whatever else is in it."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import pytest
from django.conf import settings

from payments.messages import history, inbox
from payments.models import Arrival, StoreHistory, StoreMessage
from payments.providers import registry
from payments.providers.base import Facts, Fault, ProviderError, RawMessage, StoreRefund
from payments.providers.fake.verifier import FakeMessage, FakeStoreAdapter
from payments.store import purchases


class Remembering(FakeStoreAdapter):
    """A fake store with a history. It tells of an exception by raising it."""

    def __init__(self, told: Sequence[bytes | Exception]) -> None:
        super().__init__(registry.fake_store(settings)._private_key.public_key())
        self._told = told

    def missed(self, *, environment: str, since: datetime, until: datetime) -> Iterator[RawMessage]:
        for one in self._told:
            if isinstance(one, Exception):
                raise one
            yield RawMessage({}, one)

    def polled(self, *, environment: str, since: datetime, until: datetime) -> Iterator[Facts]:
        yield (refund(since, amount_micros=10**30),)
        yield (refund(since, amount_micros=1),)


def refund(now: datetime, **told: object) -> StoreRefund:
    return StoreRefund(environment="production", transaction_id="fake-1", refunded_at=now, **told)


def signed(name: str, now: datetime) -> bytes:
    message = FakeMessage(
        event_id=name,
        type="refunded",
        environment="production",
        occurred_at_ms=int(now.timestamp() * 1000),
        refunds=(refund(now),),
    )
    return registry.fake_store(settings).tell(message).encode()


@pytest.fixture
def remembering(monkeypatch: pytest.MonkeyPatch) -> list[bytes | Exception]:
    """What the fake store's history has: to be filled."""
    told: list[bytes | Exception] = []
    monkeypatch.setattr(purchases, "adapters", lambda: {"fake": Remembering(told)})
    return told


@pytest.mark.django_db
def test_what_can_never_be_read_holds_up_nothing_behind_it(
    now: datetime, remembering: list[bytes | Exception]
) -> None:
    first, forged = signed("first", now), signed("forged", now)[:-8] + b"AAAAAAAA"
    remembering += [first, b"\xff", forged, b"", signed("last", now)]
    assert history.read("fake", "production", now=now) == 2
    assert set(StoreMessage.objects.values_list("event_id", "arrived_by")) == {
        ("first", Arrival.PULLED),
        ("last", Arrival.PULLED),
    }
    assert not history.is_due("fake", "production", now=now + timedelta(minutes=1))
    assert history.read("fake", "production", now=now) == 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    "trouble", [ProviderError("down", Fault.UNAVAILABLE), inbox.SignaturesUnavailable()]
)
def test_what_cannot_be_read_now_is_read_again(
    now: datetime, remembering: list[bytes | Exception], trouble: Exception
) -> None:
    remembering += [signed("first", now), trouble]
    history.read("fake", "production", now=now)
    assert StoreHistory.objects.get().read_at is None
    assert not history.is_due("fake", "production", now=now)
    assert history.is_due("fake", "production", now=now + history.PAUSES[0])
    assert StoreMessage.objects.filter(event_id="first").exists()


@pytest.mark.django_db
class TestTroubledHistory:
    """A history that cannot be read is tried less and less often, and goes on where it has got to."""

    def trouble(self, store: list[bytes | Exception], **told: int) -> None:
        store[:] = [ProviderError("down", Fault.UNAVAILABLE, **told)]

    def test_is_tried_after_a_while(
        self, now: datetime, remembering: list[bytes | Exception]
    ) -> None:
        self.trouble(remembering)
        waits = []
        for _ in range(5):
            history.read("fake", "production", now=now)
            due_at = StoreHistory.objects.get().next_attempt_at
            assert due_at is not None
            waits.append(due_at - now)
        assert waits == [*history.PAUSES, history.PAUSES[-1]]
        remembering.clear()
        history.read("fake", "production", now=now)
        assert StoreHistory.objects.get().failures == 0

    def test_is_tried_when_the_store_said(
        self, now: datetime, remembering: list[bytes | Exception]
    ) -> None:
        self.trouble(remembering, retry_after_seconds=7200)
        history.read("fake", "production", now=now)
        assert not history.is_due("fake", "production", now=now + timedelta(seconds=7199))
        assert history.is_due("fake", "production", now=now + timedelta(seconds=7200))

    def test_goes_on_with_the_slice_that_failed(
        self, now: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = Sliced([])
        monkeypatch.setattr(purchases, "adapters", lambda: {"fake": store})
        store.fails_at = 10
        history.read("fake", "production", now=now)
        assert len(store.slices) == 11
        store.fails_at = -1
        history.read("fake", "production", now=now)
        starts = [since for since, _ in store.slices]
        assert starts[10] == starts[11]
        assert sorted(set(starts)) == [now - history.OVERLAP + n * history.SLICE for n in range(48)]
        assert StoreHistory.objects.get().read_until == now


class Sliced(Remembering):
    """Notes what of its history it is asked for."""

    fails_at = -1
    slices: list[tuple[datetime, datetime]]

    def __init__(self, told: Sequence[bytes | Exception]) -> None:
        super().__init__(told)
        self.slices = []

    def missed(self, *, environment: str, since: datetime, until: datetime) -> Iterator[RawMessage]:
        self.slices.append((since, until))
        if len(self.slices) == self.fails_at + 1:
            raise ProviderError("down", Fault.UNAVAILABLE)
        return iter(())

    def polled(self, *, environment: str, since: datetime, until: datetime) -> Iterator[Facts]:
        return iter(())

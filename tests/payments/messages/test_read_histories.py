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

    def missed(self, *, since: datetime, until: datetime) -> Iterator[RawMessage]:
        for one in self._told:
            if isinstance(one, Exception):
                raise one
            yield RawMessage({}, one)

    def polled(self, *, since: datetime, until: datetime) -> Iterator[Facts]:
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
    assert history.read("fake", now=now) == 2
    assert set(StoreMessage.objects.values_list("event_id", "arrived_by")) == {
        ("first", Arrival.PULLED),
        ("last", Arrival.PULLED),
    }
    assert not history.is_due("fake", now=now + timedelta(minutes=1))
    assert history.read("fake", now=now) == 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    "trouble", [ProviderError("down", Fault.UNAVAILABLE), inbox.SignaturesUnavailable()]
)
def test_what_cannot_be_read_now_is_read_again(
    now: datetime, remembering: list[bytes | Exception], trouble: Exception
) -> None:
    remembering += [signed("first", now), trouble]
    history.read("fake", now=now)
    assert not StoreHistory.objects.exists()
    assert history.is_due("fake", now=now)
    assert StoreMessage.objects.filter(event_id="first").exists()

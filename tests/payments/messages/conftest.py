"""A store that tells what a test has it tell."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import pytest
from django.conf import settings

from payments.providers import registry
from payments.providers.base import Facts, Owed, RawMessage
from payments.providers.fake.verifier import FakeStoreAdapter
from payments.store import purchases


class Parrot(FakeStoreAdapter):
    """A fake store that says what it was taught, whatever it is asked; an exception by raising it."""

    def __init__(self) -> None:
        super().__init__(registry.fake_store(settings)._private_key.public_key())
        self.said: Facts | Exception = ()
        self.asked = 0

    def _say(self) -> Facts:
        self.asked += 1
        if isinstance(self.said, Exception):
            raise self.said
        return self.said

    def submitted(self, handed_in: str, *, now: datetime) -> Facts:
        return self._say()

    def facts_of(self, message: RawMessage, *, now: datetime) -> Facts:
        return self._say()

    def subscription(self, *, environment: str, subscription_id: str, now: datetime) -> Facts:
        return self._say()

    def delivered(
        self, *, environment: str, subject: str, store_product_id: str, owed: Owed
    ) -> None:
        self._say()

    def missed(self, *, environment: str, since: datetime, until: datetime) -> Iterator[RawMessage]:
        self._say()
        return iter(())


@pytest.fixture
def parrot(monkeypatch: pytest.MonkeyPatch) -> Parrot:
    """The only store there is."""
    parrot = Parrot()
    monkeypatch.setattr(purchases, "adapters", lambda: {"fake": parrot})
    return parrot


@pytest.fixture
def parrots(monkeypatch: pytest.MonkeyPatch) -> Sequence[Parrot]:
    """Google's and Stripe's place is taken by one each."""
    both = {"google": Parrot(), "stripe": Parrot()}
    monkeypatch.setattr(purchases, "adapters", lambda: both)
    return list(both.values())

"""What a store's list has and we do not: asked about by name, and booked as if it had been told."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from config.problems import Problem
from payments.models import ChangeCause
from payments.providers import lines
from payments.providers.base import Facts, Fault, Known, Lists, ProviderError, StoreRefund
from payments.reconciliation.comparing import Theirs, gathered
from payments.store import facts
from payments.store.exchange import RateMissing
from payments.store.facts import Telling
from payments.store.owners import Unclaimed
from payments.store.purchases import BoughtAnother

_UNKNOWN = (Fault.GONE, Fault.MALFORMED, Fault.OTHER_ENVIRONMENT)


@dataclass(frozen=True)
class Word:
    """What a store says of one transaction when it is asked. Neither is set of what it does not know."""

    facts: Facts = ()
    theirs: Theirs | None = None
    is_foreign: bool = False


def ask(adapter: Lists, known: Known, *, now: datetime) -> Word:
    """Asks the store: called outside of any transaction. Raises ProviderError, UNAVAILABLE."""
    try:
        found = adapter.looked_up(known, now=now)
    except ProviderError as error:
        if error.fault is Fault.FOREIGN:
            return Word(is_foreign=True)
        if error.fault in _UNKNOWN:
            return Word()
        raise
    return Word(found, gathered(lines.of_facts(found)).get(known.transaction_id))


def without(found: Facts, refunds: Collection[str]) -> Facts:
    """What the store says, but for refunds of these names."""
    return tuple(
        fact for fact in found if not (isinstance(fact, StoreRefund) and fact.refund_id in refunds)
    )


def book(found: Facts, *, provider: str, now: datetime) -> str:
    """Lets what the store says take effect; "" if it did, else why it cannot."""
    telling = Telling(cause=ChangeCause.READ_BACK)
    try:
        with facts.told_together(found, provider=provider, telling=telling, now=now):
            for fact in found:
                facts.apply(fact, provider=provider, telling=telling, now=now)
    except Unclaimed:
        return "Nobody is known to have bought it."
    except RateMissing as error:
        return f"No exchange rate: {error}"
    except BoughtAnother:
        return "It is booked as a product of another kind."
    except Problem as error:
        return f"{error.title}: {error.detail}" if error.detail else error.title
    return ""

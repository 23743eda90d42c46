"""What becomes of purchases: cards that are declined, second thoughts, money back, another phone.

Stores bring all of it about by themselves as their days pass; the service hears of it from them alone.
"""

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from demo.simulation.accounts import Account
from demo.stores.buying import Bought, Store, Stores
from demo.transport import Refused

#: How long after a card was declined the subscription is paid after all.
LATE_BY = timedelta(days=2)


class Fate(StrEnum):
    """What becomes of a purchase. LAPSED are declined for good, LATE pay after all."""

    KEPT = "kept"
    CANCELLED = "cancelled"
    LAPSED = "lapsed"
    LATE = "late"
    REFUNDED = "refunded"
    MOVED = "moved"


FATES: Mapping[Fate, float] = {
    Fate.KEPT: 0.34,
    Fate.CANCELLED: 0.2,
    Fate.LAPSED: 0.12,
    Fate.LATE: 0.12,
    Fate.REFUNDED: 0.1,
    Fate.MOVED: 0.12,
}


@dataclass(frozen=True)
class Ahead:
    """Something that will happen to a purchase, at the first moment of a day that is not before `due`."""

    due: datetime
    fate: Fate
    account: Account
    store: Store
    bought: Bought
    is_second: bool = False


class Fates:
    """What lies ahead of purchases, of all viewers."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._lock = threading.Lock()
        self._ahead: list[Ahead] = []

    def add(self, more: Sequence[Ahead]) -> None:
        """Something more; from any thread."""
        with self._lock:
            self._ahead += more

    def begin_day(self, moment: datetime) -> Sequence[Ahead]:
        """Moves the stores' time to a moment, and has done there what was due; those that are for phones to do."""
        self._stores.are_at(moment)
        with self._lock:
            due = [one for one in self._ahead if one.due <= moment]
            self._ahead = [one for one in self._ahead if one.due > moment]
        for one in due:
            self._befall(one, moment)
        return [one for one in due if one.fate is Fate.MOVED]

    def end(self) -> None:
        """The stores' time is the machine's again."""
        self._stores.are_at(None)

    def _befall(self, one: Ahead, moment: datetime) -> None:
        # A store refuses what its state no longer allows, as of a subscription that has ended meanwhile.
        with suppress(Refused):
            match one.fate:
                case Fate.CANCELLED:
                    one.store.cancel(one.bought, at=moment)
                case Fate.LAPSED | Fate.LATE if not one.is_second:
                    one.store.decline(one.bought, at=moment)
                case Fate.LATE:
                    one.store.recover(one.bought, at=moment)
                case Fate.REFUNDED:
                    one.store.refund(one.bought, at=moment)
                case _:
                    pass
        if one.fate is Fate.LATE and not one.is_second:
            self.add([replace(one, due=moment + LATE_BY, is_second=True)])

"""What clients were told, held against what the database says: each operation, and the balances."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from tests.crash import purchase_audit, unlock_audit
from tests.crash.instance import Instance
from tests.crash.journal import Call
from tests.crash.purchase_audit import Purchases
from tests.crash.unlock_audit import Unlocks
from tests.crash.violations import Violation

LOST = {unlock_audit.LOST, purchase_audit.LOST}
"""Rules that say that an acknowledged effect is gone."""

_COINS = """
    SELECT viewer_id, paid_coins + bonus_coins FROM payments_wallet WHERE viewer_id = ANY(%s)
"""


@dataclass(frozen=True)
class Facts:
    """What the database says of some viewers."""

    unlocks: Unlocks
    purchases: Purchases
    coins: Mapping[UUID, int]


def facts(instance: Instance, viewer_ids: Collection[UUID]) -> Facts:
    """Everything that the rules are about, read as the schema's owner."""
    return Facts(
        unlocks=unlock_audit.read(instance, viewer_ids),
        purchases=purchase_audit.read(instance, viewer_ids),
        coins=dict(instance.query(_COINS, list(viewer_ids))),
    )


def violations(
    calls: Sequence[Call], found: Facts, *, initial_coins: Mapping[UUID, int]
) -> Iterator[Violation]:
    """Every broken promise; none on a sound service, whatever was killed.

    `calls` are all that were ever made for the viewers whose initial coins are given.
    """
    yield from unlock_audit.violations(calls, found.unlocks)
    yield from purchase_audit.violations(calls, found.purchases)
    yield from _coins(found, initial_coins)


def _coins(found: Facts, initial: Mapping[UUID, int]) -> Iterator[Violation]:
    expected = Counter(initial)
    for purchase in found.purchases.rows:
        expected[purchase.viewer_id] += purchase.coins
    for unlock in found.unlocks.rows:
        expected[unlock.viewer_id] -= unlock.price_coins
    for viewer_id, coins in expected.items():
        if found.coins.get(viewer_id, 0) != coins:
            yield Violation(
                "a balance is what was there plus what was bought minus what was spent",
                f"{viewer_id}: {found.coins.get(viewer_id, 0)}, not {coins}",
            )

"""What clients were told of their purchases, held against what the database says."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec

from tests.crash.instance import Instance
from tests.crash.journal import Call, Purchase, of_kind
from tests.crash.seed import SEEDED
from tests.crash.violations import Violation

LOST = "an acknowledged purchase is not there"

_PURCHASES = """
    SELECT id, viewer_id, transaction_id, transfer_id, paid_coins + bonus_coins
    FROM payments_purchase WHERE viewer_id = ANY(%s) AND NOT starts_with(transaction_id, %s)
"""
_TRANSFERS = """
    SELECT id FROM payments_transfer
    WHERE code = 'purchase' AND viewer_id = ANY(%s) AND NOT starts_with(reference, %s)
"""


class Purchased(msgspec.Struct, frozen=True):
    """A row of payments_purchase."""

    id: UUID
    viewer_id: UUID
    transaction_id: str
    transfer_id: UUID
    coins: int


@dataclass(frozen=True)
class Purchases:
    """What the database says."""

    rows: Sequence[Purchased]
    transfer_ids: Sequence[UUID]


class _Answer(msgspec.Struct, frozen=True):
    purchase_id: UUID
    transaction_id: str
    coins: int
    credited_now: bool


def read(instance: Instance, viewer_ids: Collection[UUID]) -> Purchases:
    """All purchases of some viewers but those of the seed, read as the schema's owner."""
    of_viewers = list(viewer_ids)
    rows = instance.query(_PURCHASES, of_viewers, SEEDED)
    transfers = instance.query(_TRANSFERS, of_viewers, f"fake:{SEEDED}")
    return Purchases([Purchased(*row) for row in rows], [row[0] for row in transfers])


def violations(calls: Sequence[Call], found: Purchases) -> Iterator[Violation]:
    """Every promise about purchases that was broken to these viewers."""
    purchases = of_kind(calls, Purchase)
    yield from _answers(purchases, found)
    yield from _effects(purchases, found)


def _answers(calls: Sequence[tuple[Call, Purchase]], found: Purchases) -> Iterator[Violation]:
    present = {(row.viewer_id, row.transaction_id, row.id, row.coins) for row in found.rows}
    creditors = Counter[str]()
    for call, errand in calls:
        answers = [msgspec.json.decode(body, type=_Answer) for body in call.bodies]
        creditors[errand.transaction_id] += sum(answer.credited_now for answer in answers)
        # Who credited it is told once; all else stays as it was.
        same = {msgspec.structs.replace(answer, credited_now=False) for answer in answers}
        if len(same) > 1:
            yield Violation("a key has one answer", f"{call.key}: {sorted(set(call.bodies))}")
        for answer in answers[:1]:
            told = (errand.viewer_id, errand.transaction_id, answer.purchase_id, answer.coins)
            if told not in present:
                yield Violation(LOST, f"{call.key}: {call.bodies[0]}")
    for transaction_id, times in creditors.items():
        if times > 1:
            yield Violation("a transaction is credited by one call", f"{transaction_id}: {times}")


def _effects(calls: Sequence[tuple[Call, Purchase]], found: Purchases) -> Iterator[Violation]:
    asked = {(errand.viewer_id, errand.transaction_id) for _, errand in calls}
    credited = Counter((row.viewer_id, row.transaction_id) for row in found.rows)
    for pair, times in credited.items():
        if times > 1:
            yield Violation("a transaction is credited once", f"{pair}: {times} times")
        if pair not in asked:
            yield Violation("nothing is credited that nobody bought", f"{pair}")
    rows, transfers = Counter(row.transfer_id for row in found.rows), Counter(found.transfer_ids)
    for transfer_id in rows.keys() | transfers.keys():
        if (rows[transfer_id], transfers[transfer_id]) != (1, 1):
            yield Violation("a purchase has one transfer", f"{transfer_id}")

"""From a draft to a price in force: who may ask, who has to agree, and what is refused on the way.

A change of few titles by little takes effect when its author asks for it. Above PRICE_SOLO_TITLES
titles, or where a title becomes dearer by more than PRICE_SOLO_RISE_PERCENT, a second person has to agree.
What one person does within a day adds up.
"""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Sum

from config import many_rows
from payments.desk.price_changes import applying, checks, contents, effects, selection
from payments.desk.price_changes.contents import Content, Opened
from payments.desk.price_changes.measuring import Reach
from payments.desk.price_changes.selection import Selection
from payments.models import ChangedSeries, ChangeState, PriceChange
from payments.money import PARTS_PER_MILLION

NOTE_CHARACTERS = 500

#: What becomes of a change after its draft; what it consists of is not written again.
_DECIDED = (
    "state",
    "effective_from",
    "titles_count",
    "given_away_count",
    "largest_rise_parts_per_million",
    "largest_fall_parts_per_million",
    "needs_second",
    "asked_by",
    "asked_at",
    "decided_by",
    "decided_at",
    "decision_note",
    "ended_by",
    "ended_at",
)


class ChangeRefused(Exception):
    """Nothing was kept, decided or changed; the message tells an operator why and what to do."""


class SamePerson(ChangeRefused):
    """Nobody is their own second person."""


class DecidedBefore(ChangeRefused):
    """It is not in the state any more in which this could be done."""


class Outdated(ChangeRefused):
    """What it would do is not what was seen."""


def draft(
    *,
    name: str,
    content: Content,
    series_ids: list[UUID],
    effective_from: datetime | None,
    operator_id: int,
    now: datetime,
    chosen_by: Selection | None = None,
) -> PriceChange:
    """Keeps a change to look at, of just these titles; `chosen_by` says how they were found.

    Raises checks.ContentRefused for what no price can be.
    """
    checks.refuse_content(content, series_ids=series_ids, effective_from=effective_from, now=now)
    with transaction.atomic():
        change = PriceChange.objects.create(
            name=name,
            content=contents.write(content),
            selection=selection.write(chosen_by) if chosen_by else None,
            effective_from=effective_from,
            asked_by_id=operator_id,
            asked_at=now,
        )
        many_rows.add(ChangedSeries, {"series": series_ids}, same={"change": change.id})
    return change


def propose(*, change_id: UUID, operator_id: int, now: datetime) -> PriceChange:
    """Asks for a drafted change: it takes effect, or waits for a second person.

    Raises checks.ContentRefused, DecidedBefore.
    """
    with transaction.atomic():
        change = _held(change_id, ChangeState.DRAFT)
        opened = contents.opened(change)
        _refuse(opened, now)
        change.asked_by_id, change.asked_at = operator_id, now
        savepoint = transaction.savepoint()
        reach = effects.make(opened, now=now)
        _write(change, reach)
        change.needs_second = needs_second(reach, alone=titles_alone(operator_id, now=now))
        if change.needs_second:
            transaction.savepoint_rollback(savepoint)
            change.state = ChangeState.WAITING
        else:
            _agreed(change, operator_id, now)
        change.save(update_fields=_DECIDED)
    return change


def decide(
    *, change_id: UUID, operator_id: int, is_agreed: bool, note: str, now: datetime
) -> PriceChange:
    """A second person agrees or refuses; whoever asked may refuse, which withdraws it.

    Raises SamePerson, DecidedBefore, Outdated when it would by now do more than what was asked, and
    checks.ContentRefused.
    """
    with transaction.atomic():
        change = _held(change_id, ChangeState.WAITING)
        change.decision_note = note.strip()[:NOTE_CHARACTERS]
        if not is_agreed:
            change.state = ChangeState.REFUSED
            change.decided_by_id, change.decided_at = operator_id, now
        elif change.asked_by_id == operator_id:
            raise SamePerson(
                "You asked for this change yourself: somebody else has to agree to it."
            )
        else:
            opened = contents.opened(change)
            _refuse(opened, now)
            _refuse_outdated(change, effects.make(opened, now=now))
            _agreed(change, operator_id, now)
        change.save(update_fields=_DECIDED)
    return change


def end(*, change_id: UUID, operator_id: int, now: datetime) -> PriceChange:
    """Withdraws a change that is not in force yet, or rolls back one that is. Raises DecidedBefore."""
    with transaction.atomic():
        change = _held(change_id, ChangeState.DRAFT, ChangeState.WAITING, ChangeState.SCHEDULED)
        is_agreed = change.state == ChangeState.SCHEDULED
        begins_at = change.effective_from or change.decided_at
        change.ended_by_id, change.ended_at = operator_id, now
        if is_agreed:
            _lock_schedule()
            applying.undo(change, now=now)
        has_begun = is_agreed and begins_at is not None and begins_at <= now
        change.state = ChangeState.ROLLED_BACK if has_begun else ChangeState.WITHDRAWN
        change.save(update_fields=_DECIDED)
    return change


def needs_second(reach: Reach, *, alone: int = 0) -> bool:
    """Whether one person who has changed so many titles `alone` within a day may not decide this alone."""
    limit = settings.PRICE_SOLO_RISE_PERCENT * PARTS_PER_MILLION // 100
    return (
        reach.titles_count + alone > settings.PRICE_SOLO_TITLES
        or reach.largest_rise_parts_per_million > limit
        or reach.rise_in_a_day_parts_per_million > limit
    )


def titles_alone(operator_id: int, *, now: datetime) -> int:
    """How many titles an operator's changes of a day have reached that nobody else has agreed to."""
    alone = PriceChange.objects.filter(
        decided_by=operator_id,
        needs_second=False,
        state=ChangeState.SCHEDULED,
        decided_at__gt=now - effects.A_DAY,
    )
    return alone.aggregate(titles=Sum("titles_count"))["titles"] or 0


def figures(change: PriceChange) -> tuple[int, int, int, int]:
    """What a change was asked for to do, as in Reach.figures."""
    return (
        change.titles_count,
        change.given_away_count,
        change.largest_rise_parts_per_million,
        change.largest_fall_parts_per_million,
    )


def _write(change: PriceChange, reach: Reach) -> None:
    (
        change.titles_count,
        change.given_away_count,
        change.largest_rise_parts_per_million,
        change.largest_fall_parts_per_million,
    ) = reach.figures


def _refuse(opened: Opened, now: datetime) -> None:
    """Whatever stands against it. From here on nobody else makes a change."""
    _lock_schedule()
    checks.refuse_content(
        opened.content,
        series_ids=opened.series_ids,
        effective_from=opened.change.effective_from,
        now=now,
    )
    checks.refuse_overlap(opened, now=now)
    checks.refuse_absurd(opened, now=now)


def _agreed(change: PriceChange, operator_id: int, now: datetime) -> None:
    change.state = ChangeState.SCHEDULED
    change.decided_by_id, change.decided_at = operator_id, now
    change.effective_from = effects.moment_of(change, now=now)


def _refuse_outdated(change: PriceChange, reach: Reach) -> None:
    if reach.figures != figures(change):
        raise Outdated(
            f"Since this was asked, what it would do has changed: {reach.titles_count:,} titles, where "
            f"{change.titles_count:,} were asked for. Refuse it and ask anew."
        )


def _held(change_id: UUID, *states: ChangeState) -> PriceChange:
    change = PriceChange.objects.select_for_update().get(id=change_id)
    if change.state not in states:
        raise DecidedBefore(f"This change is {change.get_state_display().lower()} already.")
    return change


def _lock_schedule() -> None:
    """One change is checked and made at a time: what overlaps is then seen.

    Between two statements about many thousand titles more time passes than a request is allowed.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '5min'")
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('payments.desk.price_changes'))")

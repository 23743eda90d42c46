"""Impressions as apps tell of them: estimates of what single ads earned, kept if they are plausible.

Nothing that a viewer is granted rests on them. An app can make them up: what it says is bounded here, counts for
a title only where the network has confirmed an ad of it, and is outweighed by the network's report of the day when
that comes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Sum

from ads.models import AdSession, Impression, ImpressionSource, Placement
from ads.revenue import days
from config.problems import Problem
from payments.store import exchange

#: A batch may lag as long, and clocks be ahead as far.
OLDEST = timedelta(days=3)
FURTHEST_AHEAD = timedelta(minutes=5)
#: An ad that is loaded again in the same session is another impression. More are no ads.
EACH_SESSION = 3
DAY = timedelta(days=1)
#: The first of an advisory lock's two numbers; the second is the viewer's.
LOCK = 7_164_212


class TooManyImpressions(Problem):
    code = "too_many_impressions"
    title = "No viewer sees so many ads in a day; nothing of this was kept"
    headers = {"Retry-After": "3600"}


class ImpressionVerdict(StrEnum):
    """What came of an impression. The first two are kept; none is to be sent again."""

    KEPT = "kept"
    UNATTRIBUTED = "unattributed"
    REPEATED = "repeated"
    IMPLAUSIBLE = "implausible"
    BAD_MOMENT = "bad_moment"
    NO_RATE = "no_rate"


@dataclass(frozen=True, kw_only=True)
class Told:
    """One impression as an app tells of it. `placement` is a code of ours, "" for none."""

    impression_id: str
    network: str
    ad_unit_id: str
    format: str
    revenue_micros: int
    currency: str
    precision: str
    country: str
    occurred_at: datetime
    placement: str = ""
    session_id: UUID | None = None


@dataclass
class _Said:
    """What an app has said of a session by now."""

    count: int = 0
    micros: int = 0


@dataclass(frozen=True)
class _Known:
    """What there is of what a batch names. `said` has every session of `sessions`."""

    ids: set[str]
    sessions: Mapping[UUID, AdSession]
    placements: Mapping[str, Placement]
    said: Mapping[UUID, _Said]


def receive(
    told: Sequence[Told], *, viewer_id: UUID, environment: str, now: datetime
) -> Sequence[ImpressionVerdict]:
    """Keeps a viewer's impressions; what came of each, in their order. Safe to repeat: an impression's id is
    its viewer's own, and the first that came under it stays.

    One that names no session of this viewer, network and ad unit, or one that was not open then, is kept of none,
    `unattributed`. Raises TooManyImpressions, with nothing kept.
    """
    with transaction.atomic():
        _lock(viewer_id)
        known = _known(told, viewer_id=viewer_id, environment=environment)
        new = {one.impression_id for one in told} - known.ids
        before = Impression.objects.filter(viewer_id=viewer_id, received_at__gt=now - DAY).count()
        if before + len(new) > settings.AD_IMPRESSIONS_DAILY:
            raise TooManyImpressions
        verdicts, rows = [], []
        for one in told:
            verdict, row = _judged(
                one, known, viewer_id=viewer_id, environment=environment, now=now
            )
            verdicts.append(verdict)
            rows += [row] if row else []
        keep(rows)
    return verdicts


def keep(rows: Sequence[Impression]) -> None:
    """Adds impressions that are not known, and has their days settled."""
    if rows:
        days.expect(
            (row.network, row.environment, days.of(row.network, row.occurred_at)) for row in rows
        )
        Impression.objects.bulk_create(rows, ignore_conflicts=True)


def worth(amount_micros: int, currency: str, *, at: datetime) -> tuple[int, exchange.Rate]:
    """An amount in the reporting currency, and the rate of its day. Raises exchange.RateMissing."""
    rate = exchange.rate(currency, at=at)
    return rate.micros(amount_micros), rate


def is_plausible(revenue_micros: int) -> bool:
    """Whether one ad can have earned so much."""
    return revenue_micros <= settings.AD_IMPRESSION_CAP_MICROS


def most_of_session(placement: Placement) -> int:
    """The most that an app is believed of all ads of one session together, in micros. A placement without an
    estimate has nothing to be measured by but what one ad can have earned."""
    estimate = placement.estimated_net_micros
    return estimate * settings.AD_SESSION_ESTIMATES_MAX or settings.AD_IMPRESSION_CAP_MICROS


def _lock(viewer_id: UUID) -> None:
    """One batch of a viewer at a time: what may be said is bounded by what was said before."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [LOCK, str(viewer_id)])


def _known(told: Sequence[Told], *, viewer_id: UUID, environment: str) -> _Known:
    ids = Impression.objects.filter(
        viewer_id=viewer_id,
        environment=environment,
        source=ImpressionSource.CLIENT,
        impression_id__in=[one.impression_id for one in told],
    ).values_list("impression_id", flat=True)
    named = [one.session_id for one in told if one.session_id is not None]
    sessions = {
        session.id: session
        for session in AdSession.objects.filter(
            id__in=named, viewer_id=viewer_id, environment=environment
        ).select_related("placement")
    }
    codes = {one.placement for one in told if one.placement}
    said = {session_id: _Said() for session_id in sessions}
    before = Impression.objects.filter(session_id__in=sessions, source=ImpressionSource.CLIENT)
    for row in before.values("session_id").annotate(n=Count("id"), micros=Sum("revenue_micros")):
        said[row["session_id"]] = _Said(count=row["n"], micros=row["micros"])
    return _Known(
        ids=set(ids),
        sessions=sessions,
        placements={found.code: found for found in Placement.objects.filter(code__in=codes)},
        said=said,
    )


def _judged(
    one: Told, known: _Known, *, viewer_id: UUID, environment: str, now: datetime
) -> tuple[ImpressionVerdict, Impression | None]:
    """What comes of one, which is known from here on."""
    if one.impression_id in known.ids:
        return ImpressionVerdict.REPEATED, None
    if not now - OLDEST <= one.occurred_at <= now + FURTHEST_AHEAD:
        return ImpressionVerdict.BAD_MOMENT, None
    try:
        revenue_micros, rate = worth(one.revenue_micros, one.currency, at=one.occurred_at)
    except exchange.RateMissing:
        return ImpressionVerdict.NO_RATE, None
    session = _session(one, known)
    if not is_plausible(revenue_micros) or (
        session is not None and not _adds(revenue_micros, session, known.said[session.id])
    ):
        return ImpressionVerdict.IMPLAUSIBLE, None
    known.ids.add(one.impression_id)
    row = Impression(
        source=ImpressionSource.CLIENT,
        impression_id=one.impression_id,
        network=one.network,
        environment=environment,
        viewer_id=viewer_id,
        session=session,
        placement_id=_placement_id(one, session, known),
        ad_unit_id=one.ad_unit_id,
        format=one.format,
        country=one.country,
        told_micros=one.revenue_micros,
        currency=one.currency,
        precision=one.precision,
        revenue_micros=revenue_micros,
        exchange_rate=Decimal(rate.rate),
        exchange_source=rate.source,
        occurred_at=one.occurred_at,
        received_at=now,
    )
    is_lost = one.session_id is not None and session is None
    return ImpressionVerdict.UNATTRIBUTED if is_lost else ImpressionVerdict.KEPT, row


def _adds(revenue_micros: int, session: AdSession, said: _Said) -> bool:
    """Whether so much may be said of a session beside what was said before; then it is said from here on."""
    if said.count >= EACH_SESSION or said.micros + revenue_micros > most_of_session(
        session.placement
    ):
        return False
    said.count += 1
    said.micros += revenue_micros
    return True


def _session(one: Told, known: _Known) -> AdSession | None:
    """The session that it names, if the ad can have been shown in it."""
    session = known.sessions.get(one.session_id) if one.session_id else None
    if session is None or (session.network, session.ad_unit_id) != (one.network, one.ad_unit_id):
        return None
    # The moment is of the device's clock, the session's are of ours.
    begins, ends = session.opened_at - FURTHEST_AHEAD, session.expires_at + FURTHEST_AHEAD
    return session if begins <= one.occurred_at < ends else None


def _placement_id(one: Told, session: AdSession | None, known: _Known) -> UUID | None:
    if session is not None:
        return session.placement_id
    placement = known.placements.get(one.placement)
    return placement.id if placement and placement.network == one.network else None

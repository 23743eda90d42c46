"""What is not as it should be between the stores and us."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Count, Q

from payments.messages import history, refused_claims
from payments.models import (
    CallState,
    Difference,
    DifferenceState,
    MessageState,
    Provider,
    Reconciliation,
    ReportState,
    RunState,
    StoreCall,
    StoreHistory,
    StoreMessage,
    StoreReport,
)
from payments.store import exchange, subscriptions

#: A type of message has a usual gap once so many have come.
ENOUGH_MESSAGES = 20
#: So many times the longest gap of nineteen out of twenty, and no less than this.
GAPS = 3
SHORTEST = timedelta(hours=6)
LOOKED_BACK = timedelta(days=30)
#: The latest of each type: however many have come, this is quick.
LOOKED_AT = 300
HISTORY_IS_LATE = timedelta(hours=6)
#: Half a minute after it came, what could not be applied has been tried so often.
TRIED_IN_VAIN = 3
#: These wait for a buyer, as long as it takes.
BUYERS_TURN = ("payment_pending", "unclaimed")
SOON = timedelta(hours=2)
CALL_IS_LATE = timedelta(hours=1)
RECONCILIATION_IS_LATE = timedelta(hours=30)
RATE_IS_LATE = timedelta(days=3)
#: So many at most are named, the worst of them.
NAMED_VIEWERS = 10

#: The admin lists that alarms lead to.
LISTED = (
    "storemessage",
    "storecall",
    "storehistory",
    "reconciliation",
    "difference",
    "storereport",
    "exchangerate",
    "subscription",
    "refusedclaim",
)

_SILENT = """
    WITH RECURSIVE types AS (
        (SELECT provider, environment, type FROM payments_storemessage
         ORDER BY provider, environment, type LIMIT 1)
        UNION ALL
        SELECT later.* FROM types, LATERAL (
            SELECT provider, environment, type FROM payments_storemessage message
            WHERE (message.provider, message.environment, message.type)
                > (types.provider, types.environment, types.type)
            ORDER BY provider, environment, type LIMIT 1) AS later
    ), gaps AS (
        SELECT provider, environment, type, came.received_at,
               came.received_at - lag(came.received_at) OVER (
                   PARTITION BY provider, environment, type ORDER BY came.received_at) AS gap
        FROM types, LATERAL (
            SELECT message.received_at FROM payments_storemessage message
            WHERE message.provider = types.provider AND message.environment = types.environment
              AND message.type = types.type AND message.arrived_by = 'pushed'
              AND message.received_at > %(since)s
            ORDER BY message.received_at DESC LIMIT %(looked_at)s) AS came
    ), usual AS (
        SELECT provider, environment, type, max(received_at) AS last_at,
               percentile_cont(0.95) WITHIN GROUP (ORDER BY gap) AS gap
        FROM gaps GROUP BY 1, 2, 3 HAVING count(*) >= %(enough)s
    )
    SELECT provider, environment, type, last_at FROM usual
    WHERE %(now)s - last_at > greatest(gap * %(gaps)s, %(shortest_seconds)s * interval '1 second')
    ORDER BY 1, 2, 3
"""


@dataclass(frozen=True)
class Alarm:
    """A sentence for an operator, and where to look: the name of an admin list, and its query."""

    code: str
    sentence: str
    listed: str
    query: str


def ringing(*, now: datetime) -> Sequence[Alarm]:
    """Everything that is wrong now, the gravest first."""
    return [
        *_parked(),
        *_calls(now),
        *_tried_in_vain(),
        *_differences(),
        *_silent(now),
        *_unknown(),
        *_histories(now),
        *_reconciliations(now),
        *_reports(),
        *_estimates(now),
        *_renewing_as_unknown(),
        *_claims_of_others(now),
    ]


def _parked() -> Iterator[Alarm]:
    for provider, count in _counted(MessageState.PARKED):
        yield Alarm(
            "messages_parked",
            f"{_number(count, 'message')} of {provider} could not be applied.",
            "storemessage",
            f"state__exact=parked&provider__exact={provider}",
        )


def _tried_in_vain() -> Iterator[Alarm]:
    found = (
        StoreMessage.objects.filter(
            next_attempt_at__isnull=False, state=MessageState.WAITING, attempts__gte=TRIED_IN_VAIN
        )
        .exclude(code__in=BUYERS_TURN)
        .values_list("provider", "code")
        .annotate(count=Count("id"))
        .order_by("provider", "code")
    )
    for provider, code, count in found:
        yield Alarm(
            "messages_waiting",
            f"{_number(count, 'message')} of {provider} wait{_s(count)} to be applied: {code.replace('_', ' ')}.",
            "storemessage",
            f"state__exact=waiting&provider__exact={provider}&code__exact={code}",
        )


def _unknown() -> Iterator[Alarm]:
    for provider, count in _counted(MessageState.UNKNOWN):
        yield Alarm(
            "messages_unknown",
            f"{_number(count, 'message')} of {provider} {_are(count)} that nothing here reads.",
            "storemessage",
            f"state__exact=unknown&provider__exact={provider}",
        )


def _counted(state: MessageState) -> Sequence[tuple[str, int]]:
    found = StoreMessage.objects.filter(state=state).values("provider").annotate(count=Count("id"))
    return list(found.order_by("provider").values_list("provider", "count"))


def _calls(now: datetime) -> Iterator[Alarm]:
    waits = Q(state=CallState.WAITING)
    is_stuck = Q(attempts__gte=TRIED_IN_VAIN) | Q(created_at__lt=now - CALL_IS_LATE)
    halted = Q(state__in=[CallState.FAILED, CallState.HELD])
    found = StoreCall.objects.filter(Q(next_attempt_at__isnull=False) | halted)
    count = found.aggregate(
        failed=Count("id", filter=Q(state=CallState.FAILED)),
        held=Count("id", filter=Q(state=CallState.HELD)),
        late=Count("id", filter=waits & Q(deadline_at__lt=now + SOON)),
        waiting=Count("id", filter=waits & is_stuck),
    )
    for code, sentence, query in (
        ("failed", "{} times a store refused to be told what it waits for.", "failed"),
        ("late", "{} answers to stores are due within two hours.", "waiting"),
        ("waiting", "{} times a store waits to be told something, and cannot be.", "waiting"),
    ):
        if count[code]:
            yield Alarm(
                f"calls_{code}",
                sentence.format(f"{count[code]:,}"),
                "storecall",
                f"state__exact={query}",
            )
    if held := count["held"]:
        sentence = f"{_number(held, 'refund')} wait{_s(held)} for a second person to agree."
        yield Alarm("refunds_held", sentence, "storecall", "state__exact=held")


def _silent(now: datetime) -> Iterator[Alarm]:
    with connection.cursor() as cursor:
        cursor.execute(
            _SILENT,
            {
                "now": now,
                "since": now - LOOKED_BACK,
                "enough": ENOUGH_MESSAGES,
                "looked_at": LOOKED_AT,
                "gaps": GAPS,
                "shortest_seconds": SHORTEST.total_seconds(),
            },
        )
        for provider, environment, type_, last_at in cursor.fetchall():
            yield Alarm(
                "messages_silent",
                f"No {type_} of {provider} ({environment}) has come since {last_at:%Y-%m-%d %H:%M} UTC.",
                "storemessage",
                f"provider__exact={provider}&type__exact={type_}",
            )


def _histories(now: datetime) -> Iterator[Alarm]:
    """Of those that are to be read: of an account that was taken out of the settings there is none to mend."""
    known = {(one.provider, one.environment): one for one in StoreHistory.objects.all()}
    for provider, environment in sorted(history.kept()):
        if provider == Provider.FAKE:
            continue
        name, row = f"{provider} ({environment})", known.get((provider, environment))
        if row is None or (row.read_at is None and _is_late(row.read_until, now)):
            sentence = f"The history of {name} was never read."
        elif row.read_at is not None and _is_late(row.read_at, now):
            sentence = f"The history of {name} was read last at {row.read_at:%Y-%m-%d %H:%M} UTC."
        else:
            continue
        query = f"provider__exact={provider}&environment__exact={environment}"
        yield Alarm("history_late", sentence, "storehistory", query)


def _is_late(at: datetime, now: datetime) -> bool:
    return at < now - HISTORY_IS_LATE


def _differences() -> Iterator[Alarm]:
    found = Difference.objects.filter(state=DifferenceState.OPEN).values("provider", "cause")
    for provider, cause, count in (
        found.annotate(count=Count("id"))
        .order_by("provider", "cause")
        .values_list("provider", "cause", "count")
    ):
        yield Alarm(
            "differences_open",
            f"{_number(count, 'difference')} with {provider}: {cause.replace('_', ' ')}.",
            "difference",
            f"state__exact=open&provider__exact={provider}&cause__exact={cause}",
        )


def _reconciliations(now: datetime) -> Iterator[Alarm]:
    """The last of each store and environment, of those whose last is not well or long ago."""
    runs = Reconciliation.objects.filter(report=None).order_by(
        "provider", "environment", "-started_at"
    )
    for run in runs.distinct("provider", "environment"):
        name = f"{run.provider} ({run.environment})"
        query = f"provider__exact={run.provider}&environment__exact={run.environment}"
        if run.state == RunState.FAILED:
            sentence = f"The books were not compared with {name}: {run.reason}"
            yield Alarm("reconciliation_failed", sentence, "reconciliation", query)
        elif run.started_at < now - RECONCILIATION_IS_LATE:
            sentence = (
                f"The books were compared with {name} last at {run.started_at:%Y-%m-%d %H:%M} UTC."
            )
            yield Alarm("reconciliation_late", sentence, "reconciliation", query)


def _reports() -> Iterator[Alarm]:
    tried = StoreReport.objects.filter(state=ReportState.REFUSED) | StoreReport.objects.filter(
        state=ReportState.WAITING
    ).exclude(reason="")
    counts = dict(tried.values_list("state").annotate(count=Count("id")))
    if refused := counts.get(ReportState.REFUSED, 0):
        sentence = f"{_number(refused, 'report')} of stores cannot be read."
        yield Alarm("reports_refused", sentence, "storereport", "state__exact=refused")
    if waiting := counts.get(ReportState.WAITING, 0):
        sentence = f"{_number(waiting, 'report')} of stores could not be compared yet."
        yield Alarm("reports_waiting", sentence, "storereport", "state__exact=waiting")


def _estimates(now: datetime) -> Iterator[Alarm]:
    for currency, count in exchange.still_missing(before=now - RATE_IS_LATE):
        yield Alarm(
            "rates_estimated",
            f"{_number(count, 'sale')} in {currency} {'was' if count == 1 else 'were'} booked by an estimate: no rate"
            " of their day is known.",
            "exchangerate",
            f"q={currency}",
        )


def _renewing_as_unknown() -> Iterator[Alarm]:
    for provider, name, count in subscriptions.renewing_as_unknown():
        yield Alarm(
            "renews_as_unknown",
            f"{_number(count, 'subscription')} of {provider} renew{_s(count)} as {name}, which is not sold here.",
            "subscription",
            f"provider__exact={provider}",
        )


def _claims_of_others(now: datetime) -> Iterator[Alarm]:
    for viewer_id, count in refused_claims.crowded(now=now)[:NAMED_VIEWERS]:
        yield Alarm(
            "claims_of_others",
            f"Viewer {viewer_id} has handed in {_number(count, 'purchase')} of others in a day.",
            "refusedclaim",
            f"q={viewer_id}",
        )


def _s(count: int) -> str:
    return "s" if count == 1 else ""


def _are(count: int) -> str:
    return "is of a type" if count == 1 else "are of types"


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"

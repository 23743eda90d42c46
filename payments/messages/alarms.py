"""What is not as it should be between the stores and us."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Count

from payments.models import CallState, MessageState, StoreCall, StoreHistory, StoreMessage

#: A type of message has a usual gap once so many have come.
ENOUGH_MESSAGES = 20
#: So many times the longest gap of nineteen out of twenty, and no less than this.
GAPS = 3
SHORTEST = timedelta(hours=6)
LOOKED_BACK = timedelta(days=30)
HISTORY_IS_LATE = timedelta(hours=6)
#: Half a minute after it came, what could not be applied has been tried so often.
TRIED_IN_VAIN = 3
#: These wait for a buyer, as long as it takes.
BUYERS_TURN = ("payment_pending", "unclaimed")
SOON = timedelta(hours=2)

_SILENT = """
    WITH gaps AS (
        SELECT provider, environment, type, received_at,
               received_at - lag(received_at) OVER (
                   PARTITION BY provider, environment, type ORDER BY received_at) AS gap
        FROM payments_storemessage
        WHERE arrived_by = 'pushed' AND received_at > %(since)s
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
        *_silent(now),
        *_unknown(),
        *_histories(now),
    ]


def _parked() -> Iterator[Alarm]:
    for provider, count in _counted(MessageState.PARKED):
        yield Alarm(
            "messages_parked",
            f"{count} messages of {provider} could not be applied.",
            "storemessage",
            f"state__exact=parked&provider__exact={provider}",
        )


def _tried_in_vain() -> Iterator[Alarm]:
    found = (
        StoreMessage.objects.filter(state=MessageState.WAITING, attempts__gte=TRIED_IN_VAIN)
        .exclude(code__in=BUYERS_TURN)
        .values_list("provider", "code")
        .annotate(count=Count("id"))
        .order_by("provider", "code")
    )
    for provider, code, count in found:
        yield Alarm(
            "messages_waiting",
            f"{count} messages of {provider} wait to be applied: {code.replace('_', ' ')}.",
            "storemessage",
            f"state__exact=waiting&provider__exact={provider}&code__exact={code}",
        )


def _unknown() -> Iterator[Alarm]:
    for provider, count in _counted(MessageState.UNKNOWN):
        yield Alarm(
            "messages_unknown",
            f"{count} messages of {provider} are of types that nothing here reads.",
            "storemessage",
            f"state__exact=unknown&provider__exact={provider}",
        )


def _counted(state: MessageState) -> Sequence[tuple[str, int]]:
    found = StoreMessage.objects.filter(state=state).values("provider").annotate(count=Count("id"))
    return list(found.order_by("provider").values_list("provider", "count"))


def _calls(now: datetime) -> Iterator[Alarm]:
    failed = StoreCall.objects.filter(state=CallState.FAILED).count()
    if failed:
        sentence = f"{failed} times a store refused to be told what it waits for."
        yield Alarm("calls_failed", sentence, "storecall", "state__exact=failed")
    late = StoreCall.objects.filter(state=CallState.WAITING, deadline_at__lt=now + SOON).count()
    if late:
        sentence = f"{late} answers to stores are due within two hours."
        yield Alarm("calls_late", sentence, "storecall", "state__exact=waiting")


def _silent(now: datetime) -> Iterator[Alarm]:
    with connection.cursor() as cursor:
        cursor.execute(
            _SILENT,
            {
                "now": now,
                "since": now - LOOKED_BACK,
                "enough": ENOUGH_MESSAGES,
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
    for history in StoreHistory.objects.filter(read_at__lt=now - HISTORY_IS_LATE):
        yield Alarm(
            "history_late",
            f"The history of {history.provider} was read last at {history.read_at:%Y-%m-%d %H:%M} UTC.",
            "storehistory",
            "",
        )

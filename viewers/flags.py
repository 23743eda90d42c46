"""Viewers and playbacks that rankings and reports leave out: raised by rules and operators, lifted by operators.

A flag says that figures must not rest on somebody. It takes nothing away from them; but nobody is paid for coming,
or for bringing others, while one stands on them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from viewers.models import Flag, FlagReason, Viewer
from viewers.models.flags import DETAIL_CHARACTERS

# Evidence that an operator has looked past is no evidence any more. Whoever is not there is not flagged: their
# events outlive people.
_RAISE = """
    INSERT INTO viewers_flag
        (id, viewer_id, playback_session_id, reason, detail, since, until, raised_at, lifted_because)
    SELECT uuidv7(), viewer.id, found.session_id, found.reason, found.detail, found.since, found.until,
           %(now)s, ''
    FROM unnest(%(viewers)s::uuid[], %(sessions)s::uuid[], %(reasons)s::text[], %(details)s::text[],
                %(since)s::timestamptz[], %(until)s::timestamptz[])
        AS found (viewer_id, session_id, reason, detail, since, until)
    JOIN viewers_viewer AS viewer ON viewer.id = found.viewer_id
    WHERE NOT EXISTS (
        SELECT FROM viewers_flag AS former
        WHERE former.viewer_id = found.viewer_id
          AND former.playback_session_id IS NOT DISTINCT FROM found.session_id
          AND former.reason = found.reason AND former.lifted_at >= found.until)
    ON CONFLICT DO NOTHING
"""


class FlagRefused(Exception):
    """Nothing was changed; the message says why."""


@dataclass(frozen=True)
class Evidence:
    """What a rule has found against a viewer, or against one playback of theirs, of a span of time."""

    viewer_id: UUID
    reason: FlagReason
    detail: str
    since: datetime
    until: datetime
    playback_session_id: UUID | None = None


@dataclass(frozen=True)
class Flagged:
    """Who is left out now: viewers wholly, and single playbacks of others."""

    viewers: frozenset[UUID] = field(default_factory=frozenset)
    sessions: frozenset[UUID] = field(default_factory=frozenset)

    def sentence(self) -> str:
        """How many, as reports say it."""
        return (
            f"{len(self.viewers)} flagged viewers and {len(self.sessions)} flagged playback sessions"
            " left out"
        )


def live() -> Flagged:
    """Every flag that stands, in one query."""
    rows = Flag.objects.filter(lifted_at=None).values_list("viewer_id", "playback_session_id")
    viewers = frozenset(viewer_id for viewer_id, session_id in rows if session_id is None)
    return Flagged(
        viewers=viewers,
        sessions=frozenset(
            session_id
            for viewer_id, session_id in rows
            if session_id is not None and viewer_id not in viewers
        ),
    )


def stands_on(*viewer_ids: UUID) -> bool:
    """Whether any of these viewers is flagged as a whole."""
    found = Flag.objects.filter(viewer_id__in=viewer_ids, playback_session_id=None, lifted_at=None)
    return found.exists()


def raise_on(found: Iterable[Evidence], *, now: datetime) -> int:
    """Flags what rules have found, in one statement; returns how many flags are new. Safe to repeat."""
    evidence = list(found)
    if not evidence:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            _RAISE,
            {
                "viewers": [one.viewer_id for one in evidence],
                "sessions": [one.playback_session_id for one in evidence],
                "reasons": [str(one.reason) for one in evidence],
                "details": [one.detail[:DETAIL_CHARACTERS] for one in evidence],
                "since": [one.since for one in evidence],
                "until": [one.until for one in evidence],
                "now": now,
            },
        )
        raised: int = cursor.rowcount
    return raised


def raise_by_hand(
    *,
    viewer_id: UUID,
    operator_id: int,
    detail: str,
    now: datetime,
    playback_session_id: UUID | None = None,
) -> Flag:
    """An operator flags a viewer, or one playback. Raises FlagRefused."""
    if not Viewer.objects.filter(id=viewer_id).exists():
        raise FlagRefused("There is no such viewer.")
    flag, is_new = Flag.objects.get_or_create(
        viewer_id=viewer_id,
        playback_session_id=playback_session_id,
        reason=FlagReason.OPERATOR,
        lifted_at=None,
        defaults={
            "detail": detail,
            "since": now,
            "until": now,
            "raised_at": now,
            "raised_by_id": operator_id,
        },
    )
    if not is_new:
        raise FlagRefused("An operator has flagged that already.")
    return flag


def lift(*, flag_id: UUID, operator_id: int, because: str, now: datetime) -> Flag:
    """An operator says why it counts after all. Raises FlagRefused."""
    if not because.strip():
        raise FlagRefused("Say why it is lifted: the next who looks wants to know.")
    with transaction.atomic():
        flag = Flag.objects.select_for_update().get(id=flag_id)
        if flag.lifted_at is not None:
            raise FlagRefused("It was lifted before.")
        flag.lifted_at, flag.lifted_by_id = now, operator_id
        flag.lifted_because = because.strip()[:DETAIL_CHARACTERS]
        flag.save(update_fields=["lifted_at", "lifted_by", "lifted_because"])
    return flag

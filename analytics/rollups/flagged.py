"""Which hours of the lake change when a flag is raised or lifted: those in which its viewer or playback has events."""

from collections.abc import Sequence
from datetime import UTC, datetime

from django.db.models import Exists, OuterRef, Q

from analytics.lake import left_out, reading
from analytics.models import CountedFlag
from viewers.flags import Flagged
from viewers.models import Flag

_HOURS = """
    SELECT date_trunc('hour', occurred_at) FROM events SEMI JOIN flagged_viewers USING (viewer_id)
    UNION
    SELECT date_trunc('hour', occurred_at)
    FROM events SEMI JOIN flagged_sessions USING (playback_session_id)
"""


def changed() -> Sequence[Flag]:
    """The flags that were raised or lifted since rollups last heard of them."""
    known = CountedFlag.objects.filter(flag=OuterRef("id"))
    is_lifted_since = Q(Exists(known.filter(is_lifted=False)), lifted_at__isnull=False)
    return list(Flag.objects.filter(~Exists(known) | is_lifted_since))


def hours_of(flags: Sequence[Flag]) -> set[datetime]:
    """The hours in which the lake has anything of whom these flags are of; reads it whole."""
    whom = Flagged(
        viewers=frozenset(flag.viewer_id for flag in flags if flag.playback_session_id is None),
        sessions=frozenset(
            flag.playback_session_id for flag in flags if flag.playback_session_id is not None
        ),
    )
    with reading.on_this_machine() as lake:
        left_out.register(lake, whom)
        return {hour.replace(tzinfo=UTC) for (hour,) in lake.execute(_HOURS).fetchall()}


def note(flags: Sequence[Flag]) -> None:
    """Rollups have heard of them as they are here; one that was lifted meanwhile has changed again."""
    CountedFlag.objects.bulk_create(
        (CountedFlag(flag=flag, is_lifted=flag.lifted_at is not None) for flag in flags),
        update_conflicts=True,
        unique_fields=["flag"],
        update_fields=["is_lifted"],
    )

"""What of tasks and referrals is a viewer's: merged with another viewer's, handed out, forgotten."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from ads.models import CheckInStreak, Invite, Referral, TaskClaim, WatchDay

Rows = Sequence[Mapping[str, Any]]


def merge(*, gone_id: UUID, kept_id: UUID, environment: str, now: datetime) -> None:
    """Gives all of one viewer to another, in the caller's transaction: what either has had once, the other
    does not have again."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ads_merge_growth(%s, %s, %s, %s)", [gone_id, kept_id, environment, now]
        )


def export(*, viewer_id: UUID) -> Mapping[str, Rows]:
    """All of it, in every environment, by table."""
    mine = {"viewer_id": viewer_id}
    return {
        "task_claims": _rows(
            TaskClaim, mine, "task__code", "period", "coins", "environment", "created_at"
        ),
        "check_ins": _rows(CheckInStreak, mine, "zone", "streak", "last_date", "environment"),
        "watched_days": _rows(WatchDay, mine, "day", "seconds", "environment"),
        "invites": _rows(Invite, mine, "code", "environment", "created_at"),
        "referred_by": _rows(Referral, {"invitee_id": viewer_id}, "state", "bound_at"),
        "referred": _rows(Referral, {"referrer_id": viewer_id}, "state", "bound_at"),
    }


def erase(*, viewer_id: UUID) -> None:
    """Forgets where the viewer's days begin, when they watched, and their code, in the caller's
    transaction. What was paid stays, as money does; a referral that waits is voided as it comes due."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ads_erase_growth(%s)", [viewer_id])


def _rows(model: Any, where: Mapping[str, UUID], *columns: str) -> Rows:
    return list(model.objects.filter(**where).order_by("id").values(*columns))

"""The ad sessions of which an impression was told: by an app beside its events, or by a network's server."""

from collections.abc import Iterator
from datetime import datetime

import pyarrow as pa
from django.db import connection, transaction

from ads.models import Impression
from analytics.reports.facts import CHUNK_ROWS, STATEMENT_SECONDS
from viewers.models import Environment

SCHEMA = pa.schema([("ad_session_id", pa.string())])


def read(*, since: datetime, until: datetime) -> Iterator[pa.Table]:
    """The sessions whose impressions came from `since` on and before `until`, each once, in pieces, at least one.

    Not to be called in a transaction, whose time limit it would change.
    """
    yield SCHEMA.empty_table()
    told = Impression.objects.filter(
        environment=Environment.PRODUCTION,
        session__isnull=False,
        received_at__gte=since,
        received_at__lt=until,
    )
    sessions = told.values_list("session_id", flat=True).order_by("session_id").distinct()
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'")
        piece: list[str] = []
        for session_id in sessions.iterator(chunk_size=CHUNK_ROWS):
            piece.append(str(session_id))
            if len(piece) == CHUNK_ROWS:
                yield _table(piece)
                piece = []
        yield _table(piece)


def _table(session_ids: list[str]) -> pa.Table:
    return pa.table({"ad_session_id": session_ids}, schema=SCHEMA)

"""What the lake's events leave out: viewers and playbacks that are flagged."""

from collections.abc import Iterable
from uuid import UUID

import pyarrow as pa

from analytics.lake.engine import Connection
from viewers.flags import Flagged


def register(connection: Connection, flagged: Flagged) -> None:
    """Lets queries read who is flagged, as `flagged_viewers` and `flagged_sessions`."""
    connection.register("flagged_viewers", _table("viewer_id", flagged.viewers))
    connection.register("flagged_sessions", _table("playback_session_id", flagged.sessions))


def without(events: str, flagged: Flagged) -> str:
    """The text of a query for events, without those of the flagged; as it is while nobody is."""
    parts = [f"({events}) AS reported"]
    if flagged.viewers:
        parts.append("ANTI JOIN flagged_viewers USING (viewer_id)")
    if flagged.sessions:
        parts.append("ANTI JOIN flagged_sessions USING (playback_session_id)")
    return events if len(parts) == 1 else f"SELECT reported.* FROM {' '.join(parts)}"  # noqa: S608


def _table(name: str, ids: Iterable[UUID]) -> pa.Table:
    return pa.table({name: pa.array(sorted(str(one) for one in ids), pa.string())})

"""What is known of an event when it is moved into the lake, and its app could not have said.

Of watching, as the trade counts it: story milliseconds are speed-normalised (actual ones are the app's
own `actual_ms`, in which seeking takes none), the furthest point is a share of the version's length,
and an episode has its place in the order and what it was opened by.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.models import EpisodeVersion
from payments.models import Entitlement

#: Later than this an event comes when reports of its day were made (metrics.md, Watermark).
LATE = timedelta(hours=48)
#: A device whose clock is further ahead has its time corrected like any, and is told apart.
AHEAD = timedelta(minutes=5)
FREE = "free"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Columns = Mapping[str, pa.ChunkedArray]


class _Version(NamedTuple):
    number: int
    duration_ms: int


def of_clocks(columns: Columns) -> dict[str, pa.ChunkedArray]:
    """Whether an event came late, and whether its device's clock was ahead of ours."""
    delay = pc.subtract(columns["sent_at"], columns["created_at"])
    ahead = pc.subtract(columns["created_at"], columns["received_at"])
    return {
        "is_late": pc.greater(delay, pa.scalar(LATE, pa.duration("us"))),
        "is_ahead": pc.greater(ahead, pa.scalar(AHEAD, pa.duration("us"))),
    }


def of_playback(columns: Columns) -> dict[str, pa.Array]:
    """Story, furthest point, episode number and what opened it; nothing if no event is of a playback.

    Null where the catalog does not have the version.
    """
    if "version_id" not in columns:
        return {}
    encoded = columns["version_id"].combine_chunks().dictionary_encode()
    known = _versions(encoded.dictionary)
    versions = [known.get(version_id) for version_id in encoded.dictionary.to_pylist()]
    found = {
        "episode_number": _spread([each and each.number for each in versions], encoded.indices),
        "opened_by": _opened_by(columns, known),
    }
    if "to_ms" not in columns:
        return found
    lengths = _spread([each and each.duration_ms for each in versions], encoded.indices)
    return found | _of_stretches(columns, lengths)


def _of_stretches(columns: Columns, lengths: pa.Array) -> dict[str, pa.Array]:
    """What was played, by the events that say so: a seek has the same members."""
    nothing = pa.scalar(None, pa.int32())
    played = pc.equal(columns["type"], "playback_progress")
    story_ms = pc.subtract(columns["to_ms"], columns["from_ms"])
    lengths = pc.if_else(pc.greater(lengths, 0), lengths, nothing)
    percent = pc.divide(pc.multiply(pc.cast(columns["to_ms"], pa.int64()), 100), lengths)
    furthest = pc.cast(
        pc.min_element_wise(percent, pa.scalar(100, pa.int64()), skip_nulls=False), pa.int32()
    )
    return {
        "story_ms": pc.if_else(played, story_ms, nothing),
        "furthest_percent": pc.if_else(played, furthest, nothing),
    }


def _versions(ids: pa.Array) -> dict[str, _Version]:
    rows = EpisodeVersion.objects.filter(id__in=ids.to_pylist())
    return {
        str(version_id): _Version(number, duration_ms)
        for version_id, number, duration_ms in rows.values_list(
            "id", "episode__number", "duration_ms"
        )
    }


def _opened_by(columns: Columns, known: Mapping[str, _Version]) -> pa.Array:
    """By session: the source of the right that the viewer had when it was issued, else `free`.

    As rights stand at the flush: what was taken back before it opened nothing.
    """
    sessions = columns["playback_session_id"].combine_chunks().dictionary_encode()
    indices = sessions.indices.to_numpy(zero_copy_only=False)
    _, first = np.unique(indices[~np.isnan(indices)], return_index=True)
    rows = pa.array(np.flatnonzero(~np.isnan(indices))[first])
    names = ("viewer_id", "environment", "series_id", "episode_id", "version_id")
    played = list(zip(*(columns[name].take(rows).to_pylist() for name in names), strict=True))
    rights = _rights({row[0] for row in played}, {row[2] for row in played})
    opened_by = [
        _source(rights[viewer, environment, episode], session) if version in known else None
        for (viewer, environment, _, episode, version), session in zip(
            played, sessions.dictionary.to_pylist(), strict=True
        )
    ]
    return pa.array(opened_by, pa.string()).take(sessions.indices)


def _rights(
    viewers: set[str], series: set[str]
) -> defaultdict[tuple[str, str, str], list[tuple[datetime, str]]]:
    """Of each viewer, environment and episode, since when it is open and by what."""
    found = defaultdict[tuple[str, str, str], list[tuple[datetime, str]]](list)
    live = Entitlement.objects.filter(
        viewer_id__in=viewers, series_id__in=series, closed_at=None
    ).values_list("viewer_id", "environment", "episode_id", "starts_at", "source")
    for viewer_id, environment, episode_id, starts_at, source in live:
        found[str(viewer_id), environment, str(episode_id)].append((starts_at, source))
    return found


def _source(rights: list[tuple[datetime, str]], session_id: str) -> str:
    # Cut to the millisecond, of which the right may be a later part.
    issued_at = _EPOCH + timedelta(milliseconds=(UUID(session_id).int >> 80) + 1)
    return max((right for right in rights if right[0] <= issued_at), default=(None, FREE))[1]


def _spread(values: list[int | None], indices: pa.Array) -> pa.Array:
    return pa.array(values, pa.int32()).take(indices)

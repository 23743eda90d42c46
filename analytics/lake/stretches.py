"""What a flush tells of watching: the stretches of its playbacks, by our own clock where it counts.

A stretch ended when its report was made and took as long as the player says it did, but never longer than
the story in it. Of that counts what lies after the session was issued, which its id says and proves, and
before the batch arrived; the intake has refused sessions that were not the viewer's.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ads.growth.watching import Stretches

_KIND = "playback_progress"
_SECOND = 1_000_000
_MILLISECOND = 1000
#: The first 48 bits of a session's id are the milliseconds of its moment: twelve digits and a hyphen.
_MOMENT_DIGITS = 13


def of(table: pa.Table) -> Stretches:
    """The stretches among rows of the lake; in whole seconds, none before a session's beginning."""
    played = table.filter(pc.equal(table["type"], _KIND))
    if not len(played):
        return Stretches()
    ended = np.minimum(_micros(played, "occurred_at"), _micros(played, "received_at"))
    story_ms = played["to_ms"].to_numpy() - played["from_ms"].to_numpy()
    took_ms = np.minimum(story_ms, played["actual_ms"].to_numpy()).astype(np.int64)
    begun = _micros(played, "occurred_at") - took_ms * _MILLISECOND
    issued = _issued_ms(played["playback_session_id"])
    return Stretches(
        viewers=played["viewer_id"].to_pylist(),
        environments=played["environment"].to_pylist(),
        starts=np.maximum(begun // _SECOND, -(-issued // _MILLISECOND)),
        ends=ended // _SECOND,
    )


def _micros(table: pa.Table, name: str) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.asarray(table[name].to_numpy().astype("datetime64[us]"), np.int64)


def _issued_ms(sessions: pa.ChunkedArray) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    encoded = sessions.combine_chunks().dictionary_encode()
    digits = pc.replace_substring(
        pc.utf8_slice_codeunits(encoded.dictionary, 0, _MOMENT_DIGITS), "-", ""
    )
    issued = np.array([int(each, 16) for each in digits.to_pylist()], np.int64)
    return np.asarray(issued[encoded.indices.to_numpy()], np.int64)

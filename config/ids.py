"""Time-ordered identifiers."""

import os
import time
import uuid
from datetime import UTC, datetime, timedelta
from threading import Lock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_lock = Lock()
_latest = 0


def uuid7() -> uuid.UUID:
    """A version 7 UUID (RFC 9562 section 5.7): 48 bits of Unix milliseconds, 74 random bits.

    New rows land at the right edge of their index. The time inside orders rows; nothing reads it
    as a fact, since the one clock of a request may be simulated. Of one process and one millisecond, each is
    greater than the one before (section 6.2, method 2).
    """
    global _latest
    milliseconds = time.time_ns() // 1_000_000
    noise = int.from_bytes(os.urandom(10))
    value = (milliseconds & (1 << 48) - 1) << 80 | noise
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    with _lock:
        if _latest >> 80 == value >> 80:
            value = max(value, _latest + 1)
        _latest = value
    return uuid.UUID(int=value)


def first_at(moment: datetime) -> uuid.UUID:
    """What every version 7 id drawn at `moment` or later is at least, and every earlier one less than
    (RFC 9562 section 5.7), by the millisecond."""
    return uuid.UUID(int=(moment - _EPOCH) // timedelta(milliseconds=1) << 80)

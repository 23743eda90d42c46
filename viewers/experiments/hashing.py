"""Where a viewer falls, by computation alone: the same on every node, in every release, for good."""

from collections.abc import Iterable
from hashlib import sha256
from uuid import UUID

from viewers.models.experiments import WHOLE

_HASHED_BITS = 64
#: What the holdout of all experiments is drawn with.
GLOBAL_SALT = "global-holdout"


def part_of(salt: str, viewer_id: UUID) -> int:
    """A viewer's place among WHOLE equal parts, from 0: chance, as far as anybody without the salt sees.

    The first 64 bits of SHA-256 of `salt:viewer`, the viewer's id in its usual lower-case writing, times
    WHOLE, without its fraction. In whole numbers, so that a boundary is where it is written.
    """
    digest = sha256(f"{salt}:{viewer_id}".encode()).digest()
    return int.from_bytes(digest[: _HASHED_BITS // 8]) * WHOLE >> _HASHED_BITS


def chosen(salt: str, viewer_id: UUID, shares: Iterable[int]) -> int | None:
    """The place in `shares` of the one that a viewer falls to; None past their sum."""
    part, end = part_of(salt, viewer_id), 0
    for place, share in enumerate(shares):
        end += share
        if part < end:
            return place
    return None

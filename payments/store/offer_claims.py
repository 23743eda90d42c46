"""A place in an offer's stock, kept for a viewer who is about to pay.

docs/money.md has the rule of what a claim promises and when its place is given to others. The SQL functions
decide, under their locks: a claim is taken when an intent is made, and sold where its purchase is credited.
"""

from datetime import datetime
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import connection

from config.problems import Problem
from payments.models import OfferClaim

#: How many offers one call of the sweeper sees to.
OFFERS_AT_ONCE = 100

_CLAIM = "SELECT payments_claim_offer(%s, %s, %s, %s, %s, %s)::text"


class OfferUnknown(Problem):
    code = "offer_unknown"
    title = "There is no such offer of this pack"


class OfferNotYet(Problem):
    code = "offer_not_yet"
    title = "The offer has not begun yet"


class OfferOver(Problem):
    code = "offer_over"
    title = "The offer is over"


class OfferSoldOut(Problem):
    code = "offer_sold_out"
    title = "The offer is sold out"


class OfferUsed(Problem):
    code = "offer_used"
    title = "The viewer has had this offer as often as it may be had; a first top-up is had once"


REFUSALS: tuple[type[Problem], ...] = (
    OfferUnknown,
    OfferNotYet,
    OfferOver,
    OfferSoldOut,
    OfferUsed,
)
_BY_CODE = {refusal.code: refusal for refusal in REFUSALS}


class _Outcome(msgspec.Struct, frozen=True):
    """What the SQL function decided."""

    outcome: str
    claim_id: UUID | None = None


def claim(*, offer_id: UUID, viewer_id: UUID, environment: str, now: datetime) -> OfferClaim:
    """A place of an offer, kept for OFFER_HOLD_SECONDS; a viewer who has one already keeps that, for
    longer, up to four times that long in all. Raises what REFUSALS lists, with nothing taken.

    Of first top-ups a viewer holds one at a time: claiming another gives the earlier one back.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM,
            [
                offer_id,
                viewer_id,
                environment,
                settings.OFFER_HOLD_SECONDS,
                settings.OFFER_GRACE_SECONDS,
                now,
            ],
        )
        (text,) = cursor.fetchone()
    decided = msgspec.json.decode(text, type=_Outcome)
    if decided.claim_id is None:
        raise _BY_CODE[decided.outcome]
    return OfferClaim.objects.select_related("offer__pack").get(id=decided.claim_id)


def release(*, now: datetime) -> int:
    """Gives back places that are kept no longer; returns how many. Claiming does so, too: this is for
    offers that nobody claims meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT payments_release_offers(%s, %s)", [OFFERS_AT_ONCE, now])
        (released,) = cursor.fetchone()
    return int(released)

"""What whoever sends messages to viewers reads: which coins will lapse."""

from datetime import datetime

from rest_framework.request import Request

from catalog import moments
from config import pages
from config.endpoints import operation
from payments import rendering
from payments.ledger import expiry
from payments.shapes import ExpiryNoticesAnswer, ExpiryNoticesQuery
from viewers.authentication import MachineEndpoint
from viewers.models import Scope


class ExpiryNotices(MachineEndpoint):
    required_scope = Scope.SUPPORT_READ

    @operation(
        summary="Coins that will lapse, for messages to viewers",
        query=ExpiryNoticesQuery,
        answer=ExpiryNoticesAnswer,
        refusals=[pages.CursorInvalid],
    )
    def get(
        self, request: Request, *, now: datetime, query: ExpiryNoticesQuery
    ) -> ExpiryNoticesAnswer:
        """Oldest first, one for each lot of coins, EXPIRY_NOTICE_HOURS before it lapses or as soon as it
        is there. `next_cursor` goes on behind the last one, now or at any later time; a notice is told
        ten seconds after it was written, so that none appears behind one that was told before."""
        after = moments.decode(query.cursor) if query.cursor else None
        found = expiry.noticed(after=after, limit=query.limit + 1, now=now)
        return rendering.expiry_notices(found, limit=query.limit, cursor=query.cursor)

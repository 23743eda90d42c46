"""Up to where all is there to be seen: where an export ends, so that the next one begins there and nothing is
told twice or never, and where rollups look on for what was posted.

A row is told of by its own moment, drawn from the database's clock in the transaction that writes it: the
time in the id of a row of money, and the arrival of an event's flush. Transactions commit in another order
than they draw, so the newest rows that can be seen are no place to continue from: one with an earlier
moment may still be on its way. An export ends before all that a transaction in flight can have drawn.
"""

from datetime import datetime

from django.db import connection
from django.db.models import Min

from analytics.models import Flush


def of_money() -> datetime:
    """The moment before which every row of money is there, to the millisecond, as ids have it.

    What is read from now on sees them all. Not to be called in a transaction that writes money.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT analytics_export_horizon()")
        moment: datetime = cursor.fetchone()[0]
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def of_events() -> datetime:
    """The moment before which every flush that began is in the lake."""
    begun = of_money()
    # After it: flushes that began before are there to be seen, whether they are over or not.
    unfinished = Flush.objects.filter(finished_at=None).aggregate(at=Min("arrived_at"))["at"]
    return begun if unfinished is None else min(begun, unfinished)

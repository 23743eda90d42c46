"""Wallets that spend nothing until somebody has looked at them."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, connection
from psycopg import errors

from payments.models import Wallet

logger = logging.getLogger(__name__)

#: What the database says when it refuses to break a rule of the ledger: an unbalanced transfer, a check, a
#: second of what there is once. A row that points nowhere is another fault, of a viewer who is gone.
_BROKEN_RULES = (
    errors.IntegrityConstraintViolation,
    errors.CheckViolation,
    errors.UniqueViolation,
)


@contextmanager
def on_broken_rule(*, viewer_id: UUID, environment: str, now: datetime) -> Iterator[None]:
    """Holds the viewer's wallet if the block fails because a rule of the ledger would have broken.

    The database has refused it, so nothing of it happened, and the error goes on to be a 500; but
    whatever led there would try again. Inside a transaction of the caller the wallet is not held, since
    that would be rolled back.
    """
    try:
        yield
    except IntegrityError as error:
        if isinstance(error.__cause__, _BROKEN_RULES) and not connection.in_atomic_block:
            logger.critical("the wallet of viewer %s is held: %s", viewer_id, error)
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT payments_hold_wallet(%s, %s, %s, %s)",
                    [viewer_id, environment, str(error), now],
                )
        raise


def release(wallet: Wallet) -> bool:
    """Lets a held wallet spend again; whether it was held."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT payments_release_wallet(%s)", [wallet.id])
        (was_held,) = cursor.fetchone()
    return bool(was_held)

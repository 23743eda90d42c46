"""Named points on the path of money, at which a session can be made to wait for its death.

They lie before and after each write that an unlock or a purchase makes, at the end of its
transaction, and between COMMIT and the reply.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psycopg
from psycopg import sql

from tests.crash.instance import Instance
from tests.crash.reply_hold import ReplyHold, Sought

REACH_SECONDS = 20.0

WRITES = {
    "insert of the key": ("payments_idempotencyrecord", "INSERT"),
    "update of the key": ("payments_idempotencyrecord", "UPDATE"),
    "insert of the purchase": ("payments_purchase", "INSERT"),
    "update of the purchase": ("payments_purchase", "UPDATE"),
    "insert of the wallet": ("payments_wallet", "INSERT"),
    "update of the wallet": ("payments_wallet", "UPDATE"),
    "insert of the transfer": ("payments_transfer", "INSERT"),
    "insert of an entry": ("payments_entry", "INSERT"),
    "insert of a lot": ("payments_lot", "INSERT"),
    "update of a lot": ("payments_lot", "UPDATE"),
    "insert of a lot's movement": ("payments_lotmovement", "INSERT"),
    "insert of the entitlement": ("payments_entitlement", "INSERT"),
    "insert of the unlock": ("payments_unlock", "INSERT"),
}
"""Each table that an unlock or a purchase writes, and how, by the name of what is written."""


@dataclass(frozen=True)
class Session:
    """Who waits at a point: a process of the web server, and of Postgres if that waits, too."""

    web_pid: int
    postgres_pid: int | None


class Point(Protocol):
    """A place where a session can be made to wait."""

    @property
    def name(self) -> str: ...
    def arm(self, instance: Instance) -> None: ...
    def waiting(self, instance: Instance) -> Session | None: ...
    def disarm(self, instance: Instance) -> None: ...


_AT_ONCE = """
    CREATE TRIGGER {trigger} {clause} ON {table}
    FOR EACH ROW EXECUTE FUNCTION crash.wait_here({point})
"""
_AT_COMMIT = """
    CREATE CONSTRAINT TRIGGER {trigger} {clause} ON {table} DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION crash.wait_here({point})
"""


@dataclass(frozen=True)
class Trigger:
    """A point inside of the transaction."""

    name: str
    table: str
    clause: str
    is_deferred: bool = False

    def arm(self, instance: Instance) -> None:
        """The next session waits here."""
        instance.query("INSERT INTO crash.armed VALUES (%s)", self.name)

    def waiting(self, instance: Instance) -> Session | None:
        """The session that waits here."""
        rows = instance.query(
            "SELECT pid, split_part(application_name, ' ', 1) FROM pg_stat_activity"
            " WHERE starts_with(application_name, 'web-') AND application_name LIKE %s",
            f"% {self.name}",
        )
        return Session(int(rows[0][1].removeprefix("web-")), rows[0][0]) if rows else None

    def disarm(self, instance: Instance) -> None:
        """Nobody waits here any more; the death of Postgres has seen to that by itself."""
        with suppress(psycopg.OperationalError):
            instance.query("DELETE FROM crash.armed")

    def create(self) -> sql.Composed:
        """The statement that makes the point."""
        return sql.SQL(_AT_COMMIT if self.is_deferred else _AT_ONCE).format(
            # By name it comes after the ledger's own triggers.
            trigger=sql.Identifier(f"zz {self.name}"),
            clause=sql.SQL(self.clause),
            table=sql.Identifier(self.table),
            point=sql.Literal(self.name),
        )


@dataclass(frozen=True)
class Reply:
    """A point between COMMIT and the reply."""

    name: str
    sought: Sought

    def arm(self, instance: Instance) -> None:
        """The next reply of this kind is held."""
        ReplyHold(instance.data_dir).arm(self.sought)

    def waiting(self, instance: Instance) -> Session | None:
        """The process that holds the reply."""
        pid = ReplyHold(instance.data_dir).holder()
        return Session(pid, None) if pid is not None else None

    def disarm(self, instance: Instance) -> None:
        """The reply goes out, if whoever held it lives."""
        ReplyHold(instance.data_dir).disarm()


IN_TRANSACTION = (
    *(
        Trigger(f"{when} {what}", table, f"{when} {event}")
        for what, (table, event) in WRITES.items()
        for when in ("before", "after")
    ),
    *(
        Trigger(f"at the end of {what}, before COMMIT", table, "AFTER INSERT", is_deferred=True)
        for what, table in {
            "an unlock": "payments_unlock",
            "a purchase": "payments_purchase",
        }.items()
    ),
)
BEFORE_REPLY = (
    Reply("after COMMIT of an unlock, before the reply", Sought("/unlock", ['"unlocked"'])),
    Reply(
        "after COMMIT of a purchase, before the reply",
        Sought("/purchases/", ['"credited_now":true']),
    ),
)
POINTS: tuple[Point, ...] = IN_TRANSACTION + BEFORE_REPLY


def install(instance: Instance) -> None:
    """Make every point; none is armed."""
    instance.query((Path(__file__).with_suffix(".sql")).read_text(encoding="utf-8"))
    for point in IN_TRANSACTION:
        instance.query(point.create())


@contextmanager
def reached(instance: Instance, point: Point) -> Iterator[Session]:
    """Somebody waits at the point while the block runs. Raises AssertionError if nobody comes."""
    found: list[Session] = []

    def is_waiting() -> bool:
        session = point.waiting(instance)
        found.extend([session] if session else [])
        return session is not None

    point.arm(instance)
    try:
        instance.wait_until(is_waiting, f"somebody comes to: {point.name}", seconds=REACH_SECONDS)
        yield found[0]
    finally:
        point.disarm(instance)

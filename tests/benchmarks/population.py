"""The rows that the benchmarks run on: many funded wallets, one long series."""

from datetime import datetime
from uuid import UUID

from django.db import connection

from payments.models import PriceVersion
from payments.prices import quotes
from payments.prices.pricing import Price, version_in_force
from tests.factories.catalog import EpisodeFactory, SeriesFactory
from tests.factories.payments import CoinPackFactory, default_plan
from viewers import tokens
from viewers.models import Device, Viewer

VIEWERS = 50_000
EPISODES = 100
FIRST_LOCKED = 9

#: So many have opened an episode before: nobody measures a service on its first day.
RETURNING_VIEWERS = 10_000

#: Past the last that a client or pgbench asks for: nobody has opened them before they are measured.
UNTOUCHED = (EPISODES + 1, EPISODES + 2)
OPENED_BEFORE = EPISODES + 3

_SEED = """
    INSERT INTO viewers_viewer (id, environment, locale, region, created_at)
    SELECT {viewer}, 'production', 'en', 'US', %(now)s FROM generate_series(1, %(count)s) n;
    INSERT INTO payments_wallet (id, viewer_id, environment, paid_coins, paid_sequence,
        bonus_coins, bonus_sequence, debt_coins, debt_sequence, created_at)
    SELECT {wallet}, {viewer}, 'production', 0, 0, 0, 0, 0, 0, %(now)s
    FROM generate_series(1, %(count)s) n;
    SELECT payments_post({transfer}, {viewer}, {wallet}, 'production', 'purchase',
        'seed-' || n, ARRAY['paid', 'store'], ARRAY[100000, -100000]::bigint[], %(now)s, %(now)s)
    FROM generate_series(1, %(count)s) n;
    INSERT INTO payments_lot (id, wallet_id, environment, kind, origin, transfer_id, granted_coins,
        remaining_coins, value_micros, remaining_value_micros, granted_at)
    SELECT uuidv7(), {wallet}, 'production', 'paid', 'purchase', {transfer}, 100000, 100000,
        800000000, 800000000, %(now)s FROM generate_series(1, %(count)s) n;
    INSERT INTO payments_purchase (id, provider, environment, transaction_id, viewer_id, pack_id,
        transfer_id, paid_coins, bonus_coins, currency, gross_micros, tax_micros, fee_micros,
        net_micros, exchange_rate, exchange_source, purchased_at, created_at)
    SELECT {transfer}, 'fake', 'production', 'seed-' || n, {viewer}, %(pack)s, {transfer}, 100000, 0,
        'USD', 800000000, 0, 0, 800000000, 1, 'same currency', %(now)s, %(now)s
    FROM generate_series(1, %(count)s) n;
"""


VIEWER, WALLET, TRANSFER, EPISODE = range(1, 5)


def uuid_sql(family: int, number: str = "n") -> str:
    """SQL for the UUID of a family of rows that `number` counts."""
    return f"('{family:08x}-0000-7000-8000-' || lpad(to_hex({number}::bigint), 12, '0'))::uuid"


def uuid_of(family: int, number: int) -> UUID:
    """The same UUID in Python."""
    return UUID(f"{family:08x}-0000-7000-8000-{number:012x}")


class Population:
    """The series, its locked episodes, and ready-made requests against them."""

    def __init__(self, *, now: datetime) -> None:
        self.now = now
        default_plan()
        self.series = SeriesFactory()
        for number in range(1, OPENED_BEFORE + 1):
            EpisodeFactory(id=uuid_of(EPISODE, number), series=self.series, number=number)
        for _ in range(40):
            SeriesFactory()
        pack = CoinPackFactory(paid_coins=100_000)
        values = {"now": now, "count": VIEWERS, "pack": pack.id}
        with connection.cursor() as cursor:
            cursor.execute("RESET ROLE; SET statement_timeout = 0")
            families = {
                "viewer": uuid_sql(VIEWER),
                "wallet": uuid_sql(WALLET),
                "transfer": uuid_sql(TRANSFER),
            }
            for statement in _SEED.format(**families).split(";\n"):
                if statement.strip():
                    cursor.execute(statement, values)
        self.version: PriceVersion = version_in_force(series_id=self.series.id, at=now)
        with connection.cursor() as cursor:
            opened = self._call(viewer="n", episode=str(OPENED_BEFORE))
            cursor.execute(
                f"SELECT count(*) FROM generate_series(1, {RETURNING_VIEWERS}) n, LATERAL {opened}"
            )
            cursor.execute("VACUUM ANALYZE")

    def unlock_request(self, *, viewer: int, episode: int) -> bytes:
        """A whole HTTP request that unlocks one locked episode for one viewer."""
        viewer_id = uuid_of(VIEWER, viewer)
        device = Device(viewer=Viewer(id=viewer_id, environment="production"))
        token, _ = tokens.sign(device, now=self.now)
        quote = self.quote(viewer_id)
        body = b'{"quote":"' + quote.encode() + b'"}'
        return (
            f"POST /v1/episodes/{uuid_of(EPISODE, episode)}/unlock HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    def quote(self, viewer_id: UUID) -> str:
        """The series' quote for a viewer, as the paywall would give it."""
        return quotes.make(
            viewer_id=viewer_id,
            environment="production",
            series_id=self.series.id,
            numbering=self.series.numbering,
            price=Price(self.version.id),
            now=self.now,
        ).token()

    def pgbench_script(self) -> str:
        """The same unlock, of a random viewer and locked episode, as a pgbench script."""
        return (
            f"\\set n random(1, {VIEWERS})\n\\set e random({FIRST_LOCKED}, {EPISODES})\n"
            f"SELECT outcome FROM {self._call(viewer=':n', episode=':e')};\n"
        )

    def _call(self, *, viewer: str, episode: str) -> str:
        """The function's call, for a viewer and an episode by SQL for their numbers."""
        prices = ",".join(["0"] * (FIRST_LOCKED - 1))
        return f"""payments_unlock(
            {uuid_sql(VIEWER, viewer)}, 'production', {uuid_sql(EPISODE, episode)},
            '{self.series.id}', {self.series.numbering}, '{self.version.id}', '{{}}', ARRAY[{prices}], 60,
            '', '{self.now.isoformat()}', NULL, NULL, NULL, NULL, NULL,
            '{self.now.date()}', NULL, NULL, NULL,
            '{self.now.isoformat()}')"""

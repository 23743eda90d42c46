"""`manage.py verify_ledger` on a million entries."""

import io
import time
from uuid import UUID

from django.core.management import call_command
from django.db import connection

from payments.models import Entry
from tests.benchmarks.population import EPISODE, Population, uuid_sql
from tests.factories.payments import CoinPackFactory

WALLETS = 48_000
UNLOCKS_EACH = 6
ENTRIES = WALLETS * (4 + UNLOCKS_EACH * 3)

_VIEWER, _WALLET, _PURCHASE, _PAID_LOT, _BONUS_LOT = 0xA, 0xB, 0xC, 0xD, 0xE
_UNLOCK, _TRANSFER, _ENTITLEMENT = 0x1A, 0x1B, 0x1C
_STEP = f"(n * {UNLOCKS_EACH} + k)"

# Everybody buys 1000 coins with 500 more for nothing, at 8000 micros a coin, and opens six episodes
# for 50 and 10 of them. Triggers are off: what they would have seen to is what is verified then.
_SEED = """
    SET session_replication_role = replica;
    INSERT INTO viewers_viewer (id, environment, locale, region, created_at)
    SELECT {viewer}, 'production', 'en', 'US', %(now)s FROM generate_series(1, %(wallets)s) n;
    INSERT INTO payments_wallet (id, viewer_id, environment, paid_coins, paid_sequence,
        bonus_coins, bonus_sequence, debt_coins, debt_sequence, created_at)
    SELECT {wallet}, {viewer}, 'production', 1000 - 50 * %(each)s, 1 + %(each)s,
        500 - 10 * %(each)s, 1 + %(each)s, 0, 0, %(now)s
    FROM generate_series(1, %(wallets)s) n;
    INSERT INTO payments_transfer (id, viewer_id, environment, code, reference, event_at, created_at)
    SELECT {purchase}, {viewer}, 'production', 'purchase', 'fake:ledger-' || n, %(now)s, %(now)s
    FROM generate_series(1, %(wallets)s) n;
    INSERT INTO payments_purchase (id, provider, environment, transaction_id, viewer_id, pack_id,
        transfer_id, paid_coins, bonus_coins, currency, gross_micros, tax_micros, fee_micros,
        net_micros, exchange_rate, exchange_source, purchased_at, created_at)
    SELECT {purchase}, 'fake', 'production', 'ledger-' || n, {viewer}, %(pack)s, {purchase},
        1000, 500, 'USD', 12000000, 0, 0, 12000000, 1, 'same currency', %(now)s, %(now)s
    FROM generate_series(1, %(wallets)s) n;
    INSERT INTO payments_lot (id, wallet_id, environment, kind, origin, transfer_id, granted_coins,
        remaining_coins, value_micros, remaining_value_micros, granted_at)
    SELECT {paid_lot}, {wallet}, 'production', 'paid', 'purchase', {purchase}, 1000,
        1000 - 50 * %(each)s, 8000000, 8000 * (1000 - 50 * %(each)s), %(now)s
    FROM generate_series(1, %(wallets)s) n
    UNION ALL
    SELECT {bonus_lot}, {wallet}, 'production', 'bonus', 'pack_bonus', {purchase}, 500,
        500 - 10 * %(each)s, 4000000, 8000 * (500 - 10 * %(each)s), %(now)s
    FROM generate_series(1, %(wallets)s) n;
    INSERT INTO payments_entry (id, transfer_id, wallet_id, environment, account, amount_coins,
        balance_after_coins, sequence, created_at)
    SELECT uuidv7(), {purchase}, CASE WHEN side.balance IS NOT NULL THEN {wallet} END, 'production',
        side.account, side.coins, side.balance, side.sequence, %(now)s
    FROM generate_series(1, %(wallets)s) n, (VALUES
        ('paid', 1000, 1000, 1), ('bonus', 500, 500, 1),
        ('store', -1000, NULL, NULL), ('pack_bonus', -500, NULL, NULL)
    ) AS side(account, coins, balance, sequence);
    INSERT INTO payments_transfer (id, viewer_id, environment, code, reference, event_at, created_at)
    SELECT {transfer}, {viewer}, 'production', 'unlock', {unlock}::text, %(now)s, %(now)s
    FROM generate_series(1, %(wallets)s) n, generate_series(1, %(each)s) k;
    INSERT INTO payments_entry (id, transfer_id, wallet_id, environment, account, amount_coins,
        balance_after_coins, sequence, created_at)
    SELECT uuidv7(), {transfer}, CASE WHEN side.account <> 'unlocks' THEN {wallet} END, 'production',
        side.account, side.coins, side.balance, CASE WHEN side.account <> 'unlocks' THEN 1 + k END,
        %(now)s
    FROM generate_series(1, %(wallets)s) n, generate_series(1, %(each)s) k, LATERAL (VALUES
        ('paid', -50, 1000 - 50 * k), ('bonus', -10, 500 - 10 * k), ('unlocks', 60, NULL)
    ) AS side(account, coins, balance);
    INSERT INTO payments_lotmovement (id, lot_id, transfer_id, coins, value_micros, created_at)
    SELECT uuidv7(), {paid_lot}, {transfer}, -50, -400000, %(now)s
    FROM generate_series(1, %(wallets)s) n, generate_series(1, %(each)s) k
    UNION ALL
    SELECT uuidv7(), {bonus_lot}, {transfer}, -10, -80000, %(now)s
    FROM generate_series(1, %(wallets)s) n, generate_series(1, %(each)s) k;
    INSERT INTO payments_entitlement (id, viewer_id, environment, series_id, episode_id, source,
        starts_at)
    SELECT {entitlement}, {viewer}, 'production', %(series)s, {episode}, 'coins', %(now)s
    FROM generate_series(1, %(wallets)s) n, generate_series(1, %(each)s) k;
    INSERT INTO payments_unlock (id, viewer_id, environment, episode_id, entitlement_id, transfer_id,
        price_version_id, adjustments, arm, price_coins, paid_coins, bonus_coins, value_micros,
        attribution_micros, created_at)
    SELECT {unlock}, {viewer}, 'production', {episode}, {entitlement}, {transfer}, %(version)s, '{{}}', '',
        60, 50, 10, 480000, 0, %(now)s
    FROM generate_series(1, %(wallets)s) n, generate_series(1, %(each)s) k;
    SET session_replication_role = DEFAULT;
    VACUUM ANALYZE
"""


def verify_seconds(population: Population) -> float:
    """Seconds of the command, which must find nothing, over what was seeded and what was measured."""
    _seed(population)
    if Entry.objects.count() < 1_000_000:
        raise AssertionError("fewer entries than promised")
    began = time.monotonic()
    call_command("verify_ledger", stdout=io.StringIO())
    return time.monotonic() - began


def _seed(population: Population) -> None:
    families = {
        "viewer": uuid_sql(_VIEWER),
        "wallet": uuid_sql(_WALLET),
        "purchase": uuid_sql(_PURCHASE),
        "paid_lot": uuid_sql(_PAID_LOT),
        "bonus_lot": uuid_sql(_BONUS_LOT),
        "unlock": uuid_sql(_UNLOCK, _STEP),
        "transfer": uuid_sql(_TRANSFER, _STEP),
        "entitlement": uuid_sql(_ENTITLEMENT, _STEP),
        "episode": uuid_sql(EPISODE, "(10 + k)"),
    }
    pack_id: UUID = CoinPackFactory(paid_coins=1000, bonus_coins=500).id
    values = {
        "now": population.now,
        "wallets": WALLETS,
        "each": UNLOCKS_EACH,
        "pack": pack_id,
        "series": population.series.id,
        "version": population.version.id,
    }
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        cursor.execute("SET statement_timeout = 0")
        for statement in _SEED.format(**families).split(";\n"):
            cursor.execute(statement, values)

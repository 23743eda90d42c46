"""What the database itself refuses, whoever asks."""

from datetime import datetime
from uuid import uuid4

import pytest
from django.db import Error, IntegrityError, connection, transaction

from payments.models import Entitlement, Lot, Purchase, Unlock, Wallet
from payments.verification import violations
from tests.factories.payments import as_owner, fund
from viewers.models import Device

TABLES = (
    "wallet",
    "transfer",
    "entry",
    "lot",
    "lotmovement",
    "purchase",
    "unlock",
    "idempotencyrecord",
)


@pytest.fixture(autouse=True)
def _funded(device: Device, now: datetime) -> None:
    fund(device.viewer_id, now=now, paid=100, bonus=20)


@pytest.mark.parametrize("table", TABLES)
def test_the_application_cannot_update_a_table_of_money(table: str) -> None:
    with (
        pytest.raises(Error, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"UPDATE payments_{table} SET id = id")


@pytest.mark.parametrize("table", [*TABLES[:-1], "entitlement", "priceversion", "episodeprice"])
def test_the_application_cannot_delete_from_a_table_of_money(table: str) -> None:
    with (
        pytest.raises(Error, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"DELETE FROM payments_{table}")


@pytest.mark.parametrize("model", [Wallet, Lot, Purchase, Unlock, Entitlement])
def test_the_application_cannot_insert_money(model: type) -> None:
    with (
        pytest.raises(Error, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"INSERT INTO {model._meta.db_table} DEFAULT VALUES")


@pytest.mark.parametrize("call", ["payments_post", "payments_spend_on_episode"])
def test_the_application_cannot_call_the_inner_functions(call: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT oid::regprocedure::text FROM pg_proc WHERE proname = %s", [call])
        (signature,) = cursor.fetchone()
        cursor.execute("SELECT has_function_privilege(current_user, %s, 'execute')", [signature])
        assert cursor.fetchone() == (False,)


def test_a_transfer_that_does_not_sum_to_zero_cannot_commit(device: Device, now: datetime) -> None:
    wallet = Wallet.objects.get()
    with (
        pytest.raises(IntegrityError, match="not to zero"),
        transaction.atomic(),
        as_owner() as cursor,
    ):
        cursor.execute(
            "SELECT payments_post(%s, %s, %s, 'production', 'purchase', 'x',"
            " ARRAY['bonus', 'pack_bonus'], ARRAY[5, -4]::bigint[], %s, %s);"
            " SET CONSTRAINTS ALL IMMEDIATE",
            [uuid4(), device.viewer_id, wallet.id, now, now],
        )


def test_a_balance_cannot_go_below_zero(device: Device, now: datetime) -> None:
    wallet = Wallet.objects.get()
    with (
        pytest.raises(IntegrityError, match="never_overdrawn"),
        transaction.atomic(),
        as_owner() as cursor,
    ):
        cursor.execute(
            "SELECT payments_post(%s, %s, %s, 'production', 'unlock', 'x',"
            " ARRAY['paid', 'unlocks'], ARRAY[-101, 101]::bigint[], %s, %s)",
            [uuid4(), device.viewer_id, wallet.id, now, now],
        )


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        ("UPDATE payments_wallet SET paid_coins = 99", "a wallet holds what its entries add up to"),
        (
            "UPDATE payments_lot SET remaining_coins = 1 WHERE kind = 'paid'",
            "a wallet's lots hold exactly its coins",
        ),
        (
            "UPDATE payments_lot SET remaining_value_micros = remaining_value_micros - 1",
            "what a lot granted and what moved since is what is left, to the micro",
        ),
        (
            "UPDATE payments_entry SET balance_after_coins = 7 WHERE account = 'paid'",
            "balance after each entry is the sum of the account's entries up to it, numbered 1..n",
        ),
        (
            "UPDATE payments_purchase SET net_micros = net_micros + 1",
            "a purchase's lots carry its coins and its net price",
        ),
        ("UPDATE payments_lot SET environment = 'sandbox'", "production and sandbox never meet"),
        ("DELETE FROM payments_entry", "a transfer has entries"),
        (
            "UPDATE payments_transfer SET viewer_id = gen_random_uuid()",
            "an unlock and a purchase are their transfer's viewer's, in its environment",
        ),
        (
            "UPDATE payments_transfer SET code = 'unlock'",
            "every transfer has its cause",
        ),
    ],
    ids=lambda value: value.split(" SET ")[-1][:40] if " SET " in value else None,
)
def test_verification_names_the_rule_that_damage_breaks(damage: str, rule: str) -> None:
    with transaction.atomic():
        savepoint = transaction.savepoint()
        with as_owner() as cursor:
            cursor.execute(damage)
        found = {violation.rule for violation in violations()}
        transaction.savepoint_rollback(savepoint)

    assert rule in found

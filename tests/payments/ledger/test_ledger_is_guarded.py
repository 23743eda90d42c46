"""What the database itself refuses, whoever asks, and what verification finds of what got past it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import Error, IntegrityError, connection, transaction

from payments.chart import CHART
from payments.idempotency import IdempotencyKey
from payments.ledger import verification
from payments.models import Lot, Unlock, Wallet
from payments.store import promo_codes, purchases
from payments.unlocking import unlocks
from tests import ledger_rules
from tests.factories.payments import OfferFactory, PromoCodeFactory, as_owner, hand_in, signed_sale
from tests.factories.viewers import DeviceFactory
from tests.payments.ledger_twins import Twins, set_stage

READ_ONLY = (
    *("wallet", "transfer", "entry", "lot", "lotmovement", "purchase", "unlock", "entitlement"),
    *("cover", "grant", "refund", "refundbooking", "unlockreversal", "unlockcorrection"),
    *("passpurchase", "passrefundbooking"),
    *("offerclaim", "promoredemption"),
    "autounlockconsent",
    *("subscription", "subscriptionchange", "subscriptioncover", "subscriptiontransfer"),
)
"""The application reads these. It writes them through functions alone."""

ADD_ONLY = (
    *("priceversion", "episodeprice", "ledgerdigest", "passintent", "exchangerate"),
    *("importedpurchase", "refusedclaim"),
)
"""A price, a promise or a sealed day, once written, stays as it is."""

DOORS = {
    "payments_unlock",
    "payments_unlock_bundle",
    "payments_agree_to_auto_unlock",
    "payments_end_auto_unlock",
    "payments_undo_auto_unlock",
    "payments_pin_answer",
    "payments_credit_purchase",
    "payments_credit_pass",
    "payments_mark_played",
    "payments_hold_wallet",
    "payments_release_wallet",
    "payments_open_covered",
    "payments_record_refund",
    "payments_undo_unlock",
    "payments_ask_grant",
    "payments_decide_grant",
    "payments_revoke_grant",
    "payments_expire_lots",
    "payments_claim_offer",
    "payments_release_offers",
    "payments_redeem_promo_code",
    "payments_lock_facts",
    "payments_apply_subscription",
    "payments_credit_period",
    "payments_transfer_subscription",
    "payments_take_key",
    "payments_keep_outcome",
}
"""The functions that the application may call. All others are called by these."""


@pytest.fixture
def twins(now: datetime) -> Twins:
    """A ledger in which everything has happened."""
    told = Twins(set_stage(now), now)
    told.buy("a", paid=100, bonus=20, price=5_000_000)
    told.spend(9)
    told.play(9)
    told.spend(6)
    told.now += timedelta(hours=1)
    told.refund("a")
    told.earn(20, value=700)
    told.buy("b", paid=200, bonus=0, price=9_000_000)
    told.refund("b")
    told.now += timedelta(hours=1)
    told.reverse("b")
    told.spend(10)
    told.undo(2)
    told.spend(8)
    told.earn(60, value=900, lasts=timedelta(hours=1))
    told.spend(7)
    told.now += timedelta(hours=1)
    told.lapse()
    told.give_coins(10)
    told.revoke(0)
    told.give_coins(5, lasts=timedelta(days=1))
    told.give_episode(12)
    told.give_pass(3)
    told.play(11)
    told.buy("c", paid=30, bonus=0, price=1_000_000)
    told.buy("a", paid=50, bonus=5, price=2_000_000, environment="sandbox")
    told.spend(1, environment="sandbox")
    told.compare()
    return told


@contextmanager
def refused(error: type[Error], match: str) -> Iterator[None]:
    with pytest.raises(error, match=match), transaction.atomic():
        yield


@pytest.mark.parametrize("table", READ_ONLY)
@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET id = id", "DELETE FROM {}", "INSERT INTO {} DEFAULT VALUES"]
)
def test_the_application_writes_no_row_of_money(table: str, statement: str) -> None:
    with refused(Error, "permission denied"), connection.cursor() as cursor:
        cursor.execute(statement.format(f"payments_{table}"))


@pytest.mark.parametrize("table", ADD_ONLY)
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}"])
def test_the_application_changes_nothing_that_is_only_added_to(table: str, statement: str) -> None:
    with refused(Error, "permission denied"), connection.cursor() as cursor:
        cursor.execute(statement.format(f"payments_{table}"))


def test_the_first_body_that_is_pinned_to_a_key_is_kept(twins: Twins) -> None:
    """Two refusals of one key may be rendered at once, with different offers."""
    assert twins.spend(12, key="x", environment="sandbox") == "insufficient_coins"
    key = IdempotencyKey("x", b"")

    pinned = [
        unlocks.pin_answer(viewer_id=twins.viewer_id, key=key, answer=body)
        for body in (b"first", b"second")
    ]

    assert pinned == [b"first", b"first"]


@pytest.mark.parametrize("privilege", ["INSERT", "UPDATE"])
def test_the_application_writes_no_answer_of_a_key(privilege: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT has_any_column_privilege('payments_idempotencyrecord', %s)", [privilege]
        )
        assert cursor.fetchone() == (False,)


def test_no_column_of_money_can_be_updated_by_itself() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM unnest(%s::text[]) AS name"
            " WHERE has_any_column_privilege('payments_' || name, 'INSERT, UPDATE')",
            [list(READ_ONLY)],
        )
        assert cursor.fetchall() == []


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("offer", "taken_count"),
        ("offer", "sandbox_taken_count"),
        ("offer", "kind"),
        ("offer", "pack_id"),
        ("promocode", "redeemed_count"),
        ("promocode", "sandbox_redeemed_count"),
        ("promocode", "code"),
        ("promocode", "bonus_coins"),
        ("promoattempt", "wrong_count"),
    ],
)
def test_the_application_changes_no_count_and_nothing_that_was_promised(
    table: str, column: str
) -> None:
    statement = f"UPDATE payments_{table} SET {column} = {column}"
    with refused(Error, "permission denied"), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize("table", ["offer", "promocode", "promobatch"])
def test_what_was_offered_is_never_deleted(table: str) -> None:
    with refused(Error, "permission denied"), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM payments_{table}")


def test_the_application_truncates_nothing() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            " AND has_table_privilege(current_user, oid, 'truncate')"
        )
        assert cursor.fetchall() == []


def test_the_application_calls_the_doors_and_no_other_function() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname FROM pg_proc WHERE proname LIKE 'payments\\_%%'"
            " AND has_function_privilege(current_user, oid, 'execute')",
            [],
        )
        assert {name for (name,) in cursor.fetchall()} == DOORS


def test_every_door_has_a_search_path_of_its_own() -> None:
    """It runs as the owner: a caller's search path could put other tables under its names."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname FROM pg_proc WHERE proname LIKE 'payments\\_%%' AND prosecdef"
            " AND NOT 'search_path=public, pg_temp' = ANY(coalesce(proconfig, '{}'))",
            [],
        )
        assert cursor.fetchall() == []


def test_an_inner_function_has_no_effect_for_the_application(twins: Twins, now: datetime) -> None:
    with refused(Error, "permission denied"), connection.cursor() as cursor:
        cursor.execute(
            "SELECT payments_give_coins(%s, 'production', 'reward', 'x', 1000, 0, NULL, %s)",
            [twins.viewer_id, now],
        )
    twins.compare()


def post(twins: Twins, accounts: list[str], amounts: list[int], *, code: str) -> None:
    wallet = Wallet.objects.get(viewer_id=twins.viewer_id, environment="production")
    with as_owner() as cursor:
        cursor.execute(
            "SELECT payments_post(%s, %s, %s, 'production', %s, 'x', %s, %s::bigint[], %s, %s);"
            " SET CONSTRAINTS ALL IMMEDIATE",
            [uuid4(), twins.viewer_id, wallet.id, code, accounts, amounts, twins.now, twins.now],
        )


def test_a_transfer_that_does_not_sum_to_zero_cannot_commit(twins: Twins) -> None:
    with refused(IntegrityError, "not to zero"):
        post(twins, ["bonus", "pack_bonus"], [5, -4], code="purchase")


def test_a_balance_cannot_go_below_zero(twins: Twins) -> None:
    held = Wallet.objects.get(viewer_id=twins.viewer_id, environment="production").paid_coins
    with refused(IntegrityError, "never_overdrawn"):
        post(twins, ["paid", "unlocks"], [-held - 1, held + 1], code="unlock")


def test_a_debt_cannot_go_above_zero(twins: Twins) -> None:
    assert twins.models["production"].debt == 0
    with refused(IntegrityError, "never_overdrawn"):
        post(twins, ["debt", "grants"], [1, -1], code="grant")


def test_a_lot_cannot_give_more_than_it_has(twins: Twins) -> None:
    lot = Lot.objects.filter(wallet__viewer_id=twins.viewer_id, remaining_coins__gt=0).first()
    with refused(IntegrityError, "never_overdrawn|within_bounds"), as_owner() as cursor:
        cursor.execute(
            "SELECT payments_take_from_lot(%s, %s, %s, %s)",
            [lot.id, lot.remaining_coins + 1, lot.transfer_id, twins.now],
        )


def test_an_unlock_cannot_be_reversed_twice(twins: Twins) -> None:
    undone = Unlock.objects.filter(reversal__isnull=False).first()
    with refused(IntegrityError, "already exists|violates"), as_owner() as cursor:
        cursor.execute(
            "SELECT payments_reverse_unlock(%s, NULL, NULL, '', %s)", [undone.id, twins.now]
        )


def test_a_transfer_that_granted_coins_cannot_be_reversed(twins: Twins) -> None:
    bought = Lot.objects.filter(origin="purchase").first()
    with refused(IntegrityError, "granted coins"), as_owner() as cursor:
        cursor.execute(
            "SELECT payments_reverse(%s, %s, 'refund', 'x', %s, %s)",
            [bought.transfer_id, uuid4(), twins.now, twins.now],
        )


def test_the_view_of_the_chart_is_the_chart() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT code, account, direction FROM payments_chart")
        kept = cursor.fetchall()
    told = [
        (str(code), str(account), direction)
        for code, way in CHART.items()
        for direction, accounts in ((-1, way.out_of), (1, way.into))
        for account in accounts
    ]
    assert sorted(kept) == sorted(told)


def sell_and_redeem(twins: Twins) -> None:
    """Somebody else buys a pack under an offer, and redeems a promo code."""
    device = DeviceFactory()
    offer, promo = OfferFactory(stock=5), PromoCodeFactory()
    viewer = {"viewer_id": device.viewer_id, "now": twins.now}
    intent, product = purchases.create_intent(
        environment="production",
        pack_id=offer.pack_id,
        offer_id=offer.id,
        provider="fake",
        **viewer,
    )
    signed = signed_sale(product, intent_id=intent.id, **viewer)
    hand_in(signed, **viewer)
    promo_codes.redeem(environment="production", typed=promo.code, address=None, **viewer)


DAMAGE = [
    (
        "a transfer's entries sum to zero",
        "UPDATE payments_entry SET amount_coins = amount_coins - 1 WHERE account = 'store'",
    ),
    ("a transfer has entries", "DELETE FROM payments_entry"),
    (
        "a transfer moves the accounts of its code, in the direction of the chart",
        "UPDATE payments_entry SET account = 'rewards' WHERE account = 'store'",
    ),
    (
        "balance after each entry is the sum of the account's entries up to it, numbered 1..n",
        "UPDATE payments_entry SET balance_after_coins = 7 WHERE account = 'paid'",
    ),
    (
        "a wallet holds what its entries add up to",
        "UPDATE payments_wallet SET paid_coins = paid_coins + 1",
    ),
    (
        "a wallet holds what its entries add up to",
        "UPDATE payments_wallet SET debt_sequence = debt_sequence + 1",
    ),
    (
        "a wallet's lots hold exactly its coins",
        "UPDATE payments_lot SET remaining_coins = remaining_coins - 1 WHERE remaining_coins > 0",
    ),
    (
        "what a lot granted and what moved since is what is left, to the micro",
        (
            "UPDATE payments_lot SET remaining_value_micros = remaining_value_micros - 1"
            " WHERE remaining_value_micros > 0"
        ),
    ),
    (
        "a full lot has its full value",
        (
            "UPDATE payments_lot SET remaining_value_micros = 0"
            " WHERE remaining_coins = granted_coins AND origin = 'purchase'"
        ),
    ),
    (
        "a transfer moves in lots what it moves in the viewer's accounts",
        "UPDATE payments_lotmovement SET coins = coins - 1 WHERE coins < 0",
    ),
    (
        "a lot never pays after its expiry",
        "UPDATE payments_lot SET expires_at = granted_at WHERE origin = 'reward'",
    ),
    (
        "coins lapse only from lots past their expiry",
        "UPDATE payments_lot SET expires_at = NULL WHERE origin = 'reward'",
    ),
    (
        "an unlock charges what its transfer and its lots say",
        "UPDATE payments_unlock SET value_micros = value_micros + 1",
    ),
    (
        "an unlock charges what its transfer and its lots say",
        "UPDATE payments_unlock SET attribution_micros = attribution_micros + 1",
    ),
    (
        "a purchase's lots carry its coins and its net price",
        "UPDATE payments_purchase SET net_micros = net_micros + 1",
    ),
    (
        "net revenue is what was recognised and what is deferred",
        "UPDATE payments_purchase SET net_micros = net_micros + 1",
    ),
    (
        "net revenue is what was recognised and what is deferred",
        "DELETE FROM payments_unlockcorrection",
    ),
    (
        "only what was bought carries revenue, and only rewards carry what ads earned",
        "UPDATE payments_lot SET value_micros = 5 WHERE origin = 'grant'",
    ),
    (
        "coins move in lots of their own transfer's viewer",
        (
            "UPDATE payments_lotmovement SET lot_id ="
            " (SELECT id FROM payments_lot WHERE environment = 'sandbox' LIMIT 1)"
            " WHERE transfer_id IN (SELECT id FROM payments_transfer WHERE code = 'expiry')"
        ),
    ),
    (
        "an unlock and a purchase are their transfer's viewer's, in its environment",
        "UPDATE payments_transfer SET viewer_id = gen_random_uuid()",
    ),
    ("every transfer has its cause", "DELETE FROM payments_unlockreversal"),
    (
        "every transfer has its cause",
        "UPDATE payments_grant SET revocation_id = NULL",
    ),
    (
        "a reversal is the opposite of what it undoes, but for a debt that was repaid",
        (
            "UPDATE payments_entry SET amount_coins = amount_coins - 1"
            " WHERE account = 'unlocks' AND amount_coins < 0"
        ),
    ),
    (
        "a reversal names what it undoes, and that is of the right kind",
        "UPDATE payments_transfer SET reverses_id = NULL WHERE code = 'unlock_reversal'",
    ),
    (
        "an entitlement has exactly the one cause that its source names",
        "UPDATE payments_entitlement SET source = 'grant' WHERE source = 'coins'",
    ),
    (
        "an entitlement has exactly the one cause that its source names",
        "UPDATE payments_entitlement SET cover_id = NULL",
    ),
    (
        "an unlock that was undone is closed, and its coins are back once",
        "UPDATE payments_entitlement SET closed_at = NULL WHERE source = 'coins'",
    ),
    (
        "an episode that coins opened is closed only where its unlock was undone, or its time was over",
        "UPDATE payments_entitlement SET closed_at = starts_at WHERE source = 'coins'",
    ),
    (
        "what was rented ends, and nothing else that coins opened",
        (
            "UPDATE payments_entitlement SET ends_at = starts_at + interval '1 day'"
            " WHERE source = 'coins'"
        ),
    ),
    (
        "what was rented ends, and nothing else that coins opened",
        "UPDATE payments_unlock SET way = 'rental'",
    ),
    (
        "a bundle is one viewer's, of one series, for each of its episodes once",
        "UPDATE payments_unlock SET way = 'bundle', bundle_id = viewer_id",
    ),
    (
        "what was unlocked without a tap was agreed to",
        (
            "INSERT INTO payments_autounlockconsent (id, viewer_id, environment, series_id,"
            " daily_cap_coins, price_version_id, adjustments, agreed_at)"
            " SELECT unlock.id, unlock.viewer_id, 'production', series_id, 1, price_version_id, '{}',"
            " unlock.created_at FROM payments_unlock unlock JOIN catalog_episode episode"
            " ON episode.id = unlock.episode_id ORDER BY unlock.id LIMIT 1;"
            " UPDATE payments_unlock SET way = 'auto',"
            " consent_id = (SELECT id FROM payments_autounlockconsent)"
        ),
    ),
    (
        "a wallet knows what was spent on its day",
        "UPDATE payments_wallet SET spent_coins = spent_coins + 1",
    ),
    (
        "a wallet knows what was spent on its day",
        "UPDATE payments_wallet SET spent_on = spent_on - 1, spent_coins = 0",
    ),
    (
        "an unlock's corrections never exceed what it earned",
        "UPDATE payments_unlockcorrection SET value_micros = value_micros - 1000000000",
    ),
    (
        "of a lot's part in an unlock, no more is taken back than it paid",
        "UPDATE payments_unlockcorrection SET coins = coins - 1000",
    ),
    (
        "refunds took at most what their purchase gave, and what stands is booked",
        (
            "UPDATE payments_refundbooking SET gross_micros = gross_micros + 1000000000"
            " WHERE undoes_id IS NULL"
        ),
    ),
    (
        "refunds took at most what their purchase gave, and what stands is booked",
        "UPDATE payments_refund SET booking_id = NULL",
    ),
    (
        "a refund's booking says what its transfer moved",
        (
            "UPDATE payments_refundbooking"
            " SET deferred_micros = deferred_micros + 1, net_micros = net_micros + 1"
        ),
    ),
    (
        "a refund's booking divides its coins as its entries do",
        (
            "UPDATE payments_refundbooking"
            " SET taken_coins = taken_coins - 1, debt_coins = debt_coins + 1 WHERE undoes_id IS NULL"
        ),
    ),
    (
        "a refund takes from its own purchase's lots alone",
        (
            "UPDATE payments_lotmovement SET lot_id ="
            " (SELECT id FROM payments_lot WHERE origin = 'reward' LIMIT 1)"
            " WHERE transfer_id IN (SELECT id FROM payments_transfer WHERE code = 'refund')"
        ),
    ),
    ("a wallet knows the end of its covers", "UPDATE payments_wallet SET covered_until = NULL"),
    (
        "what one person may not give alone, two have given",
        (
            "ALTER TABLE payments_grant DROP CONSTRAINT payments_grant_second_person;"
            " UPDATE payments_grant SET needs_second = true"
        ),
    ),
    (
        "an offer counts the places that are held and sold, and never more than its stock",
        "UPDATE payments_offer SET taken_count = 0",
    ),
    (
        "an offer counts the places that are held and sold, and never more than its stock",
        "UPDATE payments_offerclaim SET environment = 'sandbox'",
    ),
    (
        "a place of an offer is sold with its viewer's purchase of its pack, for its bonus",
        "UPDATE payments_offerclaim SET bonus_coins = bonus_coins + 1",
    ),
    (
        "a purchase grants an offer's bonus only with a place of it, else what its intent promised",
        "UPDATE payments_offerclaim SET state = 'released', purchase_id = NULL",
    ),
    (
        "a promo code counts its redemptions, and never more than it may have",
        "UPDATE payments_promocode SET redeemed_count = 0",
    ),
    (
        "a promo code's redemption gave its coins",
        "UPDATE payments_promoredemption SET coins = coins + 1",
    ),
    ("every transfer has its cause", "DELETE FROM payments_promoredemption"),
    (
        "production and sandbox never meet",
        "UPDATE payments_lot SET environment = 'sandbox' WHERE environment = 'production'",
    ),
    (
        "production and sandbox never meet",
        "UPDATE payments_entry SET environment = 'sandbox' WHERE environment = 'production'",
    ),
]


def test_verification_names_the_rule_that_damage_breaks(twins: Twins) -> None:
    sell_and_redeem(twins)
    unseen = []
    for rule, damage in DAMAGE:
        with transaction.atomic():
            savepoint = transaction.savepoint()
            with as_owner() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
                cursor.execute(damage)
            seen = {violation.rule for violation in verification.violations()}
            assert {rule for rule, _, _ in ledger_rules.broken()} == seen
            if rule not in seen:
                unseen.append((rule, damage))
            transaction.savepoint_rollback(savepoint)

    assert unseen == []


def test_every_rule_of_money_is_broken_by_some_damage() -> None:
    text = Path(settings.BASE_DIR, "payments", "sql", "verify_ledger.sql").read_text("utf-8")
    assert set(re.findall(r"^-- check: (.+)$", text, re.MULTILINE)) == {rule for rule, _ in DAMAGE}

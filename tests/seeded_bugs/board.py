"""Bugs to sow into the money code, a line or two each, and the tests that have to see them.

`tests.seeded_bugs` applies one at a time to a copy of the project. A bug that no test sees is a test
that is missing.
"""

from dataclasses import dataclass
from pathlib import Path

SQL = "payments/sql"
UNLOCKS = ("tests/payments/unlocking/test_unlock_episode.py",)
MODEL = ("tests/payments/ledger/test_ledger_model.py",)
REFUNDS = ("tests/payments/store/test_refunds.py",)
GUARDS = ("tests/payments/ledger/test_ledger_is_guarded.py",)
KEYS = ("tests/payments/test_idempotency.py",)
UNLOCK_RACES = ("tests/races/test_unlock_races.py",)
REFUND_RACES = ("tests/races/test_refund_races.py",)
PLAY_RACES = ("tests/races/test_play_and_refund.py",)
GRANTS = ("tests/payments/desk/test_grants.py",)
GRANT_RACES = ("tests/races/test_grant_races.py",)
QUOTES = ("tests/payments/prices/test_quotes.py",)
EXPIRY = ("tests/payments/ledger/test_expiry.py",)
HISTORY = ("tests/analytics/test_import_history.py",)
REPURCHASES = ("tests/analytics/test_who_buys_again.py",)
LADDER = ("tests/payments/ledger/days/test_money_ladder.py",)
BUYING = ("tests/payments/store/test_buy_coins.py",)
PASSES = ("tests/payments/store/test_buy_a_pass.py",)
PASS_REFUNDS = ("tests/payments/store/test_refund_a_pass.py",)
PASS_RACES = ("tests/races/test_pass_races.py",)
PASS_DAYS = ("tests/payments/ledger/days/test_passes_are_earned.py",)
OFFERS = ("tests/payments/store/test_offers.py",)
OFFER_RACES = ("tests/races/test_offer_races.py",)
PROMOS = ("tests/payments/store/test_promo_codes.py",)
PROMO_MAKERS = ("tests/payments/desk/test_promo_makers.py",)
BUNDLES = ("tests/payments/unlocking/test_unlock_rest_of_series.py",)
RENTALS = ("tests/payments/unlocking/test_rent_episode.py",)
AUTO_UNLOCKS = ("tests/payments/unlocking/test_auto_unlock.py",)
SPENDING = ("tests/payments/unlocking/test_confirm_spending.py",)
WAY_RACES = ("tests/races/test_ways_to_unlock_races.py",)
ARMS = ("tests/payments/prices/test_experiments_on_prices.py",)
FOLLOWING = ("tests/payments/store/test_subscriptions_follow_their_store.py",)
PERIODS = ("tests/payments/store/test_subscriptions_periods.py",)
PRORATED = ("tests/payments/store/test_periods_after_a_change_of_plan.py",)
REPLACING = ("tests/payments/store/test_subscriptions_replace.py",)
TRANSFERRING = ("tests/payments/store/test_subscriptions_transfer.py",)
CONVERGING = ("tests/payments/store/test_subscriptions_converge.py",)
SUBSCRIPTION_RACES = ("tests/races/test_subscription_races.py",)
ACCESS_MODES = ("tests/payments/access/test_access_modes.py",)
AD_GOALS = ("tests/ads/test_watch_several_ads.py",)
AD_EPISODES = ("tests/ads/test_open_several_episodes.py",)
AD_MINUTES = ("tests/ads/test_open_a_title_for_minutes.py",)
AD_COINS = ("tests/ads/test_earn_coins_by_ads.py",)
AD_LATE = ("tests/ads/test_late_callbacks.py",)
AD_PARKING = ("tests/ads/test_parked_callbacks.py",)
AD_REVENUE = ("tests/ads/test_settle_revenue.py",)
IMPRESSIONS = ("tests/ads/test_tell_of_impressions.py",)
APPS = ("tests/ads/test_believe_apps_little.py",)
RANKING = ("tests/analytics/test_rank_titles.py",)
POSTBACKS = ("tests/ads/test_find_the_session_of_an_ad.py",)
REPORT_RACES = ("tests/races/test_report_races.py",)
SETTLE = "ads/sql/settle_revenue_0001.sql"
AD_VIEWS = "ads/sql/settle_revenue_0002.sql"
EXPOSURES = ("tests/viewers/experiments/test_keep_exposures.py",)


@dataclass(frozen=True)
class Edit:
    """Text that occurs once in a file, and what is put in its place."""

    path: str
    old: str
    new: str

    def occurrences(self, root: Path) -> int:
        return (root / self.path).read_text(encoding="utf-8").count(self.old)

    def apply(self, root: Path) -> None:
        file = root / self.path
        text = file.read_text(encoding="utf-8")
        assert text.count(self.old) == 1, self
        file.write_text(text.replace(self.old, self.new), encoding="utf-8")


@dataclass(frozen=True)
class Bug:
    """What is wrong, how it is sown, and which tests are asked."""

    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


def bug(name: str, path: str, old: str, new: str, tests: tuple[str, ...], *more: Edit) -> Bug:
    return Bug(name, (Edit(path, old, new), *more), tests)


UNLOCK = f"{SQL}/unlock_0005.sql"
BUNDLE = f"{SQL}/bundle_0002.sql"
AUTO = f"{SQL}/auto_unlock_0001.sql"
UNDO = f"{SQL}/unlock_reversal_0001.sql"
REVERSAL = f"{SQL}/unlock_reversal_0002.sql"
REFUND = f"{SQL}/refund_0001.sql"
CREDIT = f"{SQL}/credit_purchase_0004.sql"
PASS = f"{SQL}/credit_pass_0001.sql"
SUBSCRIPTION = f"{SQL}/subscription_0001.sql"
SUBSCRIPTION_NOW = f"{SQL}/subscription_0002.sql"
PERIOD_NOW = f"{SQL}/subscription_0003.sql"
SHARES = f"{SQL}/refund_0002.sql"
LOTS = f"{SQL}/lots_0001.sql"
LEDGER = f"{SQL}/ledger_0002.sql"
GRANT = f"{SQL}/grant_0001.sql"
COVER = f"{SQL}/cover_0001.sql"
OFFER = f"{SQL}/offer_0001.sql"
PROMO = f"{SQL}/promo_0001.sql"
AD_SESSION = "ads/sql/session_0004.sql"
AD_CALLBACK = "ads/sql/callback_0003.sql"
AD_PARKED = "ads/sql/parked_0001.sql"
GROWTH_RACES = ("tests/races/test_growth_races.py",)
CLAIMING = ("tests/ads/growth/test_claim_tasks.py",)
LIMITING = ("tests/ads/growth/test_growth_limits.py",)
CHECKING_IN = ("tests/ads/growth/test_check_in_calendar.py",)
REFERRING = ("tests/ads/growth/test_referrals.py",)
WATCHING = ("tests/analytics/test_count_watching.py",)
GROWTH = "ads/sql/growth"
DRAWS = ("tests/payments/access/test_draw_offers.py",)
DECISIONS = ("tests/payments/access/test_choose_offers.py",)
CROWDS = ("tests/ads/test_crowd_the_origins.py",)
CHOICES = "payments/access/offer_policies.py"
ROLLUPS = ("tests/analytics/test_rollups_of_money.py",)
ROLLUP_FILLING = "analytics/rollups/filling.py"
EXPORTS = ("tests/analytics/test_export_cursors.py",)
FACTS = ("tests/analytics/test_export_facts.py",)

UNLOCKING = [
    bug(
        "an unlock does not lock the wallet",
        UNLOCK,
        "WHERE viewer_id = p_viewer AND environment = p_environment FOR UPDATE;",
        "WHERE viewer_id = p_viewer AND environment = p_environment;",
        UNLOCK_RACES,
    ),
    bug(
        "an unlock reads the lots before it locks the wallet",
        UNLOCK,
        "WHERE viewer_id = p_viewer AND environment = p_environment FOR UPDATE;",
        "WHERE viewer_id = p_viewer AND environment = p_environment;",
        UNLOCK_RACES,
        Edit(
            UNLOCK,
            "    INTO v_has_paid, v_has_bonus, v_lots, v_takes, v_bonus\n    FROM lot;\n",
            "    INTO v_has_paid, v_has_bonus, v_lots, v_takes, v_bonus\n    FROM lot;\n"
            "    PERFORM FROM payments_wallet WHERE id = v_wallet.id FOR UPDATE;\n",
        ),
    ),
    bug(
        "an answer is not kept under its key",
        UNLOCK,
        "PERFORM payments_settle_key(p_viewer, 'unlock', p_key, p_outcome);",
        "NULL;",
        KEYS,
    ),
    bug(
        "a refusal is not kept under its key",
        UNLOCK,
        "        'quote_outdated', 'wallet_on_hold', ",
        "        'insufficient_coins', 'quote_outdated', 'wallet_on_hold', ",
        KEYS,
    ),
    bug(
        "a key answers another request, too",
        UNLOCK,
        "CASE WHEN v_record.fingerprint = p_fingerprint THEN",
        "CASE WHEN true THEN",
        KEYS,
    ),
    bug(
        "a lot is spent at the moment it expires",
        UNLOCK,
        "(expires_at IS NULL OR expires_at > p_now)",
        "(expires_at IS NULL OR expires_at >= p_now)",
        UNLOCKS,
    ),
    bug(
        "paid coins are spent before bonus coins",
        UNLOCK,
        "WINDOW spend_order AS (ORDER BY kind = 'paid',",
        "WINDOW spend_order AS (ORDER BY kind = 'bonus',",
        UNLOCKS,
    ),
    bug(
        "coins that never expire are spent before those that do",
        UNLOCK,
        "expires_at NULLS LAST, granted_at, id)",
        "expires_at NULLS FIRST, granted_at, id)",
        UNLOCKS,
    ),
    bug(
        "a spend takes its own share of a lot's value, rounded down",
        UNLOCK,
        "                lot.value_micros - div(\n"
        "                    lot.value_micros::numeric\n"
        "                        * (lot.granted_coins - lot.remaining_coins + take.coins),",
        "                lot.remaining_value_micros - div(\n"
        "                    lot.value_micros::numeric * take.coins,",
        UNLOCKS,
    ),
    bug(
        "a lot's value is divided in floats",
        UNLOCK,
        "                lot.value_micros - div(\n"
        "                    lot.value_micros::numeric\n"
        "                        * (lot.granted_coins - lot.remaining_coins + take.coins),\n"
        "                    lot.granted_coins::numeric)::bigint)",
        "                lot.value_micros - floor(\n"
        "                    lot.value_micros::float8\n"
        "                        / lot.granted_coins::float8\n"
        "                    * (lot.granted_coins - lot.remaining_coins + take.coins))::bigint)",
        MODEL,
    ),
    bug(
        "what an ad earned is counted as revenue of an unlock",
        UNLOCK,
        "FILTER (WHERE origin <> 'reward'), 0),",
        "FILTER (WHERE true), 0),",
        MODEL,
    ),
    bug(
        "an open episode is charged again",
        UNLOCK,
        "IF v_live.id IS NOT NULL AND (v_live.ends_at IS NULL OR v_live.ends_at > p_now) THEN",
        "IF false THEN",
        UNLOCKS,
    ),
    bug(
        "a quote holds although the episodes were numbered anew",
        UNLOCK,
        "series.id = p_series AND series.numbering = p_numbering",
        "series.id = p_series",
        UNLOCKS,
    ),
    bug(
        "a quote of another viewer is honoured",
        "payments/prices/quotes.py",
        "if (promise.viewer_id, promise.environment) != (viewer_id, environment):",
        "if promise.environment != environment:",
        QUOTES,
    ),
    bug(
        "a quote of the sandbox is honoured in production",
        "payments/prices/quotes.py",
        "if (promise.viewer_id, promise.environment) != (viewer_id, environment):",
        "if promise.viewer_id != viewer_id:",
        QUOTES,
    ),
    bug(
        "a quote is honoured at the moment it expires",
        "payments/prices/quotes.py",
        "if now.timestamp() >= promise.expires_at:",
        "if now.timestamp() > promise.expires_at:",
        QUOTES,
    ),
    bug(
        "a later rendering replaces the body that was pinned",
        f"{SQL}/idempotency_0001.sql",
        "SET answer = coalesce(answer, p_answer)",
        "SET answer = p_answer",
        GUARDS,
    ),
]

IN_OTHER_WAYS = [
    bug(
        "a bundle does not look whether one of its episodes was bought meanwhile",
        BUNDLE,
        "IF v_owned > 0 THEN",
        "IF false THEN",
        BUNDLES,
    ),
    bug(
        "a bundle reads what is owned before it locks the wallet",
        BUNDLE,
        "WHERE viewer_id = p_viewer AND environment = p_environment FOR UPDATE;",
        "WHERE viewer_id = p_viewer AND environment = p_environment;",
        WAY_RACES,
    ),
    bug(
        "a bundle may cost more than its episodes one by one",
        "payments/prices/pricing.py",
        "return ladder(version_id, (*adjustment_ids, way_adjustment_id)).capped(alone)",
        "return ladder(version_id, (*adjustment_ids, way_adjustment_id))",
        BUNDLES,
    ),
    bug(
        "a rental never ends",
        UNLOCK,
        "v_ends_at timestamptz := p_now + make_interval(secs => p_rental_seconds);",
        "v_ends_at timestamptz;",
        RENTALS,
    ),
    bug(
        "a restored rental lasts as long as a new one",
        REVERSAL,
        "v_ends_at := p_now + (v_closed.ends_at - v_closed.closed_at);",
        "v_ends_at := p_now + (v_closed.ends_at - v_closed.starts_at);",
        RENTALS,
    ),
    bug(
        "what is unlocked without a tap has no cap",
        AUTO,
        "IF v_spent + p_price > v_consent.daily_cap_coins THEN",
        "IF p_price > v_consent.daily_cap_coins THEN",
        AUTO_UNLOCKS,
    ),
    bug(
        "agreeing anew begins the day anew",
        AUTO,
        "AND unlock.consent_id IS NOT NULL AND consent.series_id = p_series\n",
        "AND consent.ended_at IS NULL AND consent.series_id = p_series\n",
        AUTO_UNLOCKS,
    ),
    bug(
        "what is unlocked without a tap costs whatever it costs",
        AUTO,
        "IF p_price > p_most THEN",
        "IF false THEN",
        AUTO_UNLOCKS,
    ),
    bug(
        "an unlock is taken back after it was played",
        AUTO,
        "ELSIF NOT v_is_unplayed THEN",
        "ELSIF false THEN",
        AUTO_UNLOCKS,
    ),
    bug(
        "an unlock that is taken back does not wait for its playback",
        AUTO,
        "WHERE id = v_unlock.entitlement_id AND first_played_at IS NULL FOR UPDATE;",
        "WHERE id = v_unlock.entitlement_id AND first_played_at IS NULL;",
        WAY_RACES,
    ),
    bug(
        "what was spent today is not counted",
        UNLOCK,
        "IF v_spent + v_price > p_allowed_coins THEN",
        "IF v_price > p_allowed_coins THEN",
        SPENDING,
    ),
    bug(
        "what was undone today counts as spent",
        REVERSAL,
        "UPDATE payments_wallet SET spent_coins = spent_coins - v_unlock.price_coins\n",
        "UPDATE payments_wallet SET spent_coins = spent_coins\n",
        SPENDING,
    ),
]

BUYING_AND_GIVING = [
    bug(
        "a store transaction credits each viewer who brings it",
        CREDIT,
        "    ON CONFLICT (provider, environment, transaction_id) DO NOTHING;\n",
        "    ON CONFLICT (provider, environment, transaction_id, viewer_id) DO NOTHING;\n",
        UNLOCK_RACES,
        Edit(
            "payments/migrations/0001_initial.py",
            '                fields=("provider", "environment", "transaction_id"),\n',
            '                fields=("provider", "environment", "transaction_id", "viewer"),\n',
        ),
    ),
    bug(
        "a sandbox purchase credits the production wallet",
        CREDIT,
        "v_wallet := payments_lock_wallet(p_viewer, p_environment, p_now);",
        "v_wallet := payments_lock_wallet(p_viewer, 'production', p_now);",
        BUYING,
    ),
    bug(
        "a price is spread over coins in floats",
        CREDIT,
        "v_paid_value := p_net * p_paid / (p_paid + v_bonus);",
        "v_paid_value := p_net * (p_paid::float8 / (p_paid + v_bonus));",
        MODEL,
    ),
    bug(
        "a purchase repays a debt",
        CREDIT,
        "    PERFORM payments_settle_refunds(v_purchase, p_now);\n",
        "    PERFORM payments_settle_refunds(v_purchase, p_now);\n"
        "    UPDATE payments_wallet SET debt_coins = least(debt_coins + p_paid, 0)\n"
        "    WHERE id = v_wallet;\n",
        REFUNDS,
    ),
    bug(
        "a refund that came before its purchase is forgotten",
        CREDIT,
        "    PERFORM payments_settle_refunds(v_purchase, p_now);\n",
        "",
        REFUNDS,
    ),
    bug(
        "a purchase does not wait for a refund of it",
        CREDIT,
        "PERFORM payments_lock_store_transaction(p_provider, p_environment, p_transaction_id);",
        "NULL;",
        REFUND_RACES,
    ),
    bug(
        "a gift reads the debt before it locks the wallet",
        GRANT,
        "v_wallet uuid := payments_lock_wallet(p_viewer, p_environment, p_now);\n"
        "    v_transfer uuid := uuidv7();\n    v_repaid bigint;",
        "v_wallet uuid := (SELECT id FROM payments_wallet\n"
        "        WHERE viewer_id = p_viewer AND environment = p_environment);\n"
        "    v_transfer uuid := uuidv7();\n    v_repaid bigint;",
        REFUND_RACES,
    ),
    bug(
        "a gift does not repay a debt",
        GRANT,
        "SELECT least(p_coins, -debt_coins) INTO STRICT v_repaid FROM payments_wallet",
        "SELECT 0 INTO STRICT v_repaid FROM payments_wallet",
        REFUNDS,
    ),
    bug(
        "a gift goes to the other environment",
        GRANT,
        "            v_grant.viewer_id, v_grant.environment, 'grant', p_grant::text, v_grant.coins, 0,",
        "            v_grant.viewer_id, 'production', 'grant', p_grant::text, v_grant.coins, 0,",
        GRANTS,
    ),
    bug(
        "one person is their own second person",
        GRANT,
        "IF p_is_approved AND v_grant.asked_by_id = p_operator THEN",
        "IF false THEN",
        GRANTS,
    ),
    bug(
        "the limit of the day is read outside its lock",
        GRANT,
        "    PERFORM pg_advisory_xact_lock(hashtextextended('payments grants of operator', p_operator));",
        "    NULL;",
        GRANT_RACES,
    ),
    bug(
        "a cover opens episodes before it begins",
        COVER,
        "AND closed_at IS NULL AND starts_at <= p_now AND ends_at > p_now\n",
        "AND closed_at IS NULL AND ends_at > p_now\n",
        MODEL,
    ),
    bug(
        "a cover opens episodes after it has ended",
        COVER,
        "AND closed_at IS NULL AND starts_at <= p_now AND ends_at > p_now\n",
        "AND closed_at IS NULL AND starts_at <= p_now\n",
        MODEL,
        Edit(UNLOCK, "IF v_wallet.covered_until > p_now THEN", "IF true THEN"),
    ),
]

GOING_BACK = [
    bug(
        "a refund takes again whenever it is told",
        SHARES,
        "WHERE purchase_id = p_purchase AND booking_id IS NULL AND payments_refund_stands(refund)",
        "WHERE purchase_id = p_purchase AND payments_refund_stands(refund)",
        REFUNDS,
    ),
    bug(
        "a refund takes coins of other purchases",
        REFUND,
        "SELECT * FROM payments_lot WHERE transfer_id = p_granted_by AND remaining_coins > 0",
        "SELECT * FROM payments_lot WHERE remaining_coins > 0 AND wallet_id = (\n"
        "            SELECT wallet_id FROM payments_lot WHERE transfer_id = p_granted_by LIMIT 1)",
        REFUNDS,
    ),
    bug(
        "a refund takes paid coins before bonus coins",
        REFUND,
        "ORDER BY kind = 'paid', expires_at NULLS LAST, granted_at, id",
        "ORDER BY kind = 'bonus', expires_at NULLS LAST, granted_at, id",
        MODEL,
    ),
    bug(
        "what was played and refunded is not owed",
        REFUND,
        "v_purchase.transfer_id, v_due - v_taken.paid - v_taken.bonus, v_transfer, p_now);",
        "v_purchase.transfer_id, 0, v_transfer, p_now);",
        REFUNDS,
    ),
    bug(
        "a refund undoes what was played",
        REFUND,
        "          AND entitlement.closed_at IS NULL AND entitlement.first_played_at IS NULL\n",
        "          AND entitlement.closed_at IS NULL\n",
        REFUNDS,
        Edit(
            REFUND,
            "WHERE id = v_unlock.entitlement_id AND first_played_at IS NULL FOR UPDATE;",
            "WHERE id = v_unlock.entitlement_id FOR UPDATE;",
        ),
    ),
    bug(
        "a refund does not look again whether an episode was played",
        REFUND,
        "WHERE id = v_unlock.entitlement_id AND first_played_at IS NULL FOR UPDATE;",
        "WHERE id = v_unlock.entitlement_id FOR UPDATE;",
        PLAY_RACES,
    ),
    bug(
        "a correction has the wrong sign",
        REFUND,
        "p_transfer, -v_take, -v_value, 0,",
        "p_transfer, -v_take, v_value, 0,",
        REFUNDS,
    ),
    bug(
        "refunds of parts do not add up",
        REFUND,
        "SELECT CASE WHEN p_refunded = p_gross THEN p_whole\n",
        "SELECT CASE WHEN p_refunded = p_gross THEN p_whole - (p_whole > 7)::int\n",
        REFUNDS,
    ),
    bug(
        "a reversed refund does not restore what it had undone",
        REFUND,
        "PERFORM payments_restore_unlock(v_reversal, p_now);",
        "NULL;",
        REFUNDS,
    ),
    bug(
        "an undone unlock keeps its episode open",
        REVERSAL,
        "    UPDATE payments_entitlement SET closed_at = p_now\n"
        "    WHERE id = v_unlock.entitlement_id AND closed_at IS NULL;\n",
        "",
        REFUNDS,
    ),
    bug(
        "an unlock is restored out of a lot that has lapsed",
        REVERSAL,
        "OR lot.expires_at <= p_now)",
        "OR false)",
        MODEL,
    ),
    bug(
        "an unlock that is owed for can be undone",
        UNDO,
        "        WHERE unlock_id = p_unlock) <> 0 THEN",
        "        WHERE unlock_id = p_unlock) <> 0 AND false THEN",
        MODEL,
    ),
    bug(
        "a reversal does not bring the coins back",
        LEDGER,
        "    PERFORM payments_return_to_lots(p_original, p_transfer, p_now);\n",
        "",
        REFUNDS,
    ),
    bug(
        "a debt that was repaid is lost when its refund is reversed",
        LEDGER,
        "            UNION ALL VALUES ('debt', -v_repaid), ('bonus', v_repaid)\n",
        "            UNION ALL VALUES ('debt', -v_repaid), ('unlocks', v_repaid)\n",
        REFUNDS,
        Edit(LEDGER, "IF v_repaid > 0 THEN", "IF false THEN"),
    ),
    bug(
        "coins that come back leave their value behind",
        LOTS,
        "        remaining_value_micros = lot.remaining_value_micros - taken.value_micros\n",
        "        remaining_value_micros = lot.remaining_value_micros\n",
        REFUNDS,
    ),
    bug(
        "what was taken back is marked as played",
        f"{SQL}/entitlement_0002.sql",
        "WHERE id = ANY(p_entitlements) AND closed_at IS NULL ORDER BY id DESC FOR NO KEY UPDATE",
        "WHERE id = ANY(p_entitlements) ORDER BY id DESC FOR NO KEY UPDATE",
        PLAY_RACES,
    ),
    bug(
        "playing takes entitlements oldest first, a refund newest first",
        f"{SQL}/entitlement_0002.sql",
        "ORDER BY id DESC FOR NO KEY UPDATE",
        "ORDER BY id FOR NO KEY UPDATE",
        PLAY_RACES,
    ),
    bug(
        "what follows a locked episode is marked as played",
        "payments/access/playing.py",
        "    if asked in openable:\n        door.mark_played(openable)\n",
        "    door.mark_played(openable)\n",
        PLAY_RACES,
    ),
    bug(
        "the expiry job takes coins that have not expired",
        LOTS,
        "            WHERE wallet_id = v_wallet.id AND remaining_coins > 0 AND expires_at <= p_now\n",
        "            WHERE wallet_id = v_wallet.id AND remaining_coins > 0 AND kind = 'bonus'\n",
        EXPIRY,
    ),
    bug(
        "gifts that lapse are counted as revenue",
        f"{SQL}/ladder.sql",
        "               FILTER (WHERE transfer.code = 'expiry'\n"
        "                         AND lot.origin IN ('purchase', 'pack_bonus')), 0) AS lapsed",
        "               FILTER (WHERE transfer.code = 'expiry'), 0) AS lapsed",
        LADDER,
    ),
]

OFFERING = [
    bug(
        "an offer's bonus is granted without a place of it",
        CREDIT,
        "        p_bonus);\n    v_paid_value",
        "        (SELECT claim.bonus_coins FROM payments_purchaseintent intent\n"
        "         JOIN payments_offerclaim claim ON claim.id = intent.offer_claim_id\n"
        "         WHERE intent.id = p_intent), p_bonus);\n    v_paid_value",
        OFFERS,
    ),
    bug(
        "an offer's stock is not looked at",
        OFFER,
        "      AND (stock IS NULL\n"
        "           OR stock > CASE p_environment WHEN 'sandbox' THEN sandbox_taken_count\n"
        "                                         ELSE taken_count END);",
        ";",
        OFFERS,
        Edit(
            "payments/migrations/0011_offers_and_promo_codes.py",
            '("taken_count__lte", models.F("stock")),',
            '("taken_count__gte", 0),',
        ),
    ),
    bug(
        "an offer's place is given to others while its payment is on the way",
        OFFER,
        "WHERE offer_id = p_offer AND state = 'held' AND kept_until <= p_now\n",
        "WHERE offer_id = p_offer AND state = 'held' AND held_until <= p_now\n",
        OFFERS,
    ),
    bug(
        "two claims of one viewer do not wait for each other",
        OFFER,
        "    PERFORM pg_advisory_xact_lock(hashtextextended(p_environment || ' ' || p_viewer, 5));\n",
        "",
        OFFER_RACES,
    ),
    bug(
        "a first top-up is offered to those who have bought before",
        OFFER,
        "    AND payments_has_topped_up(p_viewer, p_environment, p_purchase) THEN",
        "    AND false THEN",
        OFFERS,
    ),
    bug(
        "an offer's place is kept as long as somebody asks for it",
        OFFER,
        "least(p_now + p_hold, p_claim.created_at + 4 * p_hold)",
        "p_now + p_hold",
        OFFERS,
    ),
    bug(
        "a promo code's count is read before it is locked",
        PROMO,
        "    FOR NO KEY UPDATE;\n",
        "    ;\n",
        OFFER_RACES,
        Edit(
            PROMO,
            "          AND maximum_redemptions > CASE p_environment WHEN 'sandbox' THEN"
            " sandbox_redeemed_count\n"
            "                                                       ELSE redeemed_count END;",
            "          AND v_promo.maximum_redemptions > v_promo.redeemed_count;",
        ),
    ),
    bug(
        "a viewer redeems a promo code as often as they like",
        PROMO,
        "    IF v_redemption.id IS NOT NULL THEN",
        "    IF false THEN",
        PROMOS,
        Edit(
            "payments/migrations/0011_offers_and_promo_codes.py",
            'fields=("promo_code", "viewer", "environment"),',
            'fields=("id", "promo_code", "viewer", "environment"),',
        ),
    ),
    bug(
        "a promo code is redeemed before a second person has agreed",
        PROMO,
        "       OR (v_promo.needs_second AND v_promo.agreed_by_id IS NULL) THEN",
        "       OR false THEN",
        PROMO_MAKERS,
    ),
    bug(
        "promo codes that somebody makes alone are not added up",
        "payments/desk/promos.py",
        "return max(settings.PROMO_SOLO_COINS - int(made), 0)",
        "return settings.PROMO_SOLO_COINS",
        PROMO_MAKERS,
    ),
    bug(
        "wrong promo codes are not counted",
        PROMO,
        "SET wrong_count = wrong_count + 1",
        "SET wrong_count = wrong_count",
        PROMOS,
    ),
]

COMPARING = [
    bug(
        "an arm that was met is forgotten for the hash",
        "viewers/experiments/arms.py",
        'if row["met"] is not None:',
        'if row["met"] is not None and not experiment.arms:',
        ARMS,
    ),
    bug(
        "only those in a treatment are exposed",
        "viewers/experiments/exposures.py",
        "new = [one for one in assigned if not one.is_exposed]",
        "new = [one for one in assigned if not (one.is_exposed or one.arm.is_control)]",
        ARMS,
    ),
    bug(
        "a merge lets the later of two arms stand",
        "viewers/experiments/exposures.py",
        "if (given.exposed_at, given.id) < (own.exposed_at, own.id):",
        "if (given.exposed_at, given.id) > (own.exposed_at, own.id):",
        EXPOSURES,
    ),
    bug(
        "arms differ where a promotion makes them the same",
        "payments/prices/pricing.py",
        "for one in (*before, *of_arms, *after) if one is not None",
        "for one in (*before, *after, *of_arms) if one is not None",
        ARMS,
    ),
]

REMEMBERING = [
    bug(
        "money that another system took is in our ladder",
        "analytics/reports/sql/money_days.sql",
        "WHERE source <> 'imported'",
        "WHERE source <> 'nothing'",
        HISTORY,
    ),
    bug(
        "what was imported before is imported again",
        "payments/store/imported_purchases.py",
        "new = [purchase for purchase in purchases if purchase.id not in before]",
        "new = list(purchases)",
        HISTORY,
    ),
    bug(
        "a purchase that went back in full is one",
        "analytics/reports/sql/purchases_made.sql",
        "HAVING sum(paid_micros) > 0",
        "HAVING max(paid_micros) > 0",
        REPURCHASES,
    ),
]

THE_DATABASE = [
    bug(
        "a transfer need not sum to zero",
        f"{SQL}/ledger_0001.sql",
        "IF v_sum <> 0 THEN",
        "IF false THEN",
        GUARDS,
    ),
    bug(
        "an account's sequence counts transfers that did not move it",
        f"{SQL}/ledger_0003.sql",
        "bonus_sequence = bonus_sequence + (v_bonus <> 0)::int,",
        "bonus_sequence = bonus_sequence + 1,",
        UNLOCKS,
    ),
    bug(
        "the application may write entries",
        "payments/migrations/0002_writer_functions.py",
        '    "entry",\n    "lot",\n',
        '    "lot",\n',
        GUARDS,
    ),
    bug(
        "the application may write refunds",
        "payments/migrations/0006_move_money_back.py",
        '    "refund",\n',
        "",
        GUARDS,
    ),
    bug(
        "the application may change a sealed day",
        "payments/migrations/0006_move_money_back.py",
        'ADD_ONLY = ("ledgerdigest",)',
        "ADD_ONLY = ()",
        GUARDS,
    ),
    bug(
        "a fee is computed in floats",
        "payments/money.py",
        "return amount_micros * parts_per_million // PARTS_PER_MILLION",
        "return int(amount_micros * (parts_per_million / PARTS_PER_MILLION))",
        ("tests/payments/ledger/test_money_is_exact.py",),
    ),
]

COVERING = [
    bug(
        "a second pass bought early lies on the first",
        PASS,
        "        EXIT WHEN v_cover.starts_at >= v_room.ends_at;\n",
        "        EXIT;\n",
        PASSES,
    ),
    bug(
        "a pass bought after a refund lies on the one behind it",
        PASS,
        "        EXIT WHEN v_cover.starts_at >= v_room.ends_at;\n",
        "        EXIT WHEN v_cover.starts_at > v_room.starts_at;\n",
        PASSES,
    ),
    bug(
        "months creep from one pass to the next",
        PASS,
        "      AND before.period_months > 0 AND p_months > 0\n",
        "      AND false\n",
        PASSES,
    ),
    bug(
        "months are those of the session's zone",
        PASS,
        "    SELECT (p_from AT TIME ZONE 'UTC' + make_interval(months => p_months, days => p_days))\n"
        "           AT TIME ZONE 'UTC';\n",
        "    SELECT p_from + make_interval(months => p_months, days => p_days);\n",
        PASSES,
    ),
    bug(
        "a transaction that names coins and a pass buys both",
        CREDIT,
        "        RETURN jsonb_build_object('outcome', 'another_product');\n",
        "        NULL;\n",
        PASSES,
    ),
    bug(
        "a pass does not wait for its twin",
        PASS,
        "PERFORM payments_lock_store_transaction(p_provider, p_environment, p_transaction_id);",
        "NULL;",
        PASS_RACES,
    ),
    bug(
        "a pass that is refunded goes on covering",
        SUBSCRIPTION,
        "    IF v_is_refunded THEN\n        PERFORM payments_close_cover(v_cover.id, p_now);\n",
        "    IF v_is_refunded THEN\n        NULL;\n",
        PASS_REFUNDS,
    ),
    bug(
        "a pass is earned by what it cost, whatever went back",
        f"{SQL}/passes/ladder.sql",
        "               SELECT sum(booking.net_micros) FROM payments_passrefundbooking booking\n"
        "               WHERE booking.purchase_id",
        "               SELECT sum(0) FROM payments_passrefundbooking booking\n"
        "               WHERE booking.purchase_id",
        PASS_DAYS,
    ),
]

SUBSCRIBING = [
    bug(
        "the last to tell of a subscription is believed, not the latest",
        SUBSCRIPTION_NOW,
        "    ORDER BY as_of DESC, access_until DESC NULLS LAST, state",
        "    ORDER BY id DESC, access_until DESC NULLS LAST, state",
        FOLLOWING,
    ),
    bug(
        "of two tellings of a subscription at one moment the last holds",
        SUBSCRIPTION_NOW,
        "    ORDER BY as_of DESC, access_until DESC NULLS LAST, state",
        "    ORDER BY as_of DESC, id DESC, state",
        CONVERGING,
    ),
    bug(
        "a subscription forgets whose place it took",
        SUBSCRIPTION,
        "          WHERE replaces <> '' LIMIT 1) AS said\n",
        "          LIMIT 1) AS said\n",
        REPLACING,
    ),
    bug(
        "a subscription that is not paid yet takes another's place",
        PERIOD_NOW,
        "AND next.replaces = p_subscription.subscription_id AND next.state <> 'pending'",
        "AND next.replaces = p_subscription.subscription_id",
        REPLACING,
    ),
    bug(
        "a subscription whose period was refunded goes on covering",
        PERIOD_NOW,
        "      AND payments_is_refunded(latest);\n",
        "      AND false;\n",
        PERIODS,
    ),
    bug(
        "a refund of a subscription's renewal closes the period before it",
        PERIOD_NOW,
        "        SELECT least(until, v_from, max(period.store_ends_at)) INTO until\n",
        "        SELECT NULL INTO until\n",
        PERIODS,
    ),
    bug(
        "a refund leaves the coins of a subscription's period",
        SUBSCRIPTION,
        "        PERFORM payments_fit_period_coins(p_purchase, v_is_refunded, p_now);\n",
        "",
        PERIODS,
    ),
    bug(
        "a refund of an earlier period closes what renewed without a price",
        PERIOD_NOW,
        "    WHERE (p_subscription.state = 'grace' OR until <= latest.store_ends_at)\n"
        "      AND payments_is_refunded(latest);\n",
        "    WHERE payments_is_refunded(latest);\n",
        PERIODS,
    ),
    bug(
        "a change of plan for nothing keeps open what was charged back",
        PERIOD_NOW,
        " AND (NOT is_prorated OR gross_micros > 0)\n",
        "\n",
        PRORATED,
    ),
    bug(
        "a change of plan for a cent keeps open what was charged back",
        PERIOD_NOW,
        "     WHERE subscription_id = p_subscription AND NOT is_prorated\n",
        "     WHERE false\n",
        PRORATED,
    ),
    bug(
        "the rest of a period brings the coins of a whole one",
        "payments/store/period_coins.py",
        "    if not period.is_prorated:\n",
        "    if period.price_micros > 0:\n",
        PRORATED,
    ),
    bug(
        "the same word of a subscription is another row each time",
        SUBSCRIPTION_NOW,
        "    IF p_as_of > v_holding.as_of AND payments_says_the_same(v_holding, v_told) THEN\n",
        "    IF false THEN\n",
        FOLLOWING,
    ),
    bug(
        "a subscription that is open goes to whoever asks for it",
        SUBSCRIPTION_NOW,
        "    IF p_operator IS NULL AND NOT payments_is_for_the_asking(v_subscription, p_now) THEN\n",
        "    IF false THEN\n",
        TRANSFERRING,
    ),
    bug(
        "what operators give of a subscription is counted against its viewers",
        SUBSCRIPTION_NOW,
        " AND created_at > p_since AND asked_by_id IS NULL\n",
        " AND created_at > p_since\n",
        TRANSFERRING,
    ),
    bug(
        "a subscription that was transferred covers both",
        SUBSCRIPTION,
        "          AND (cover.viewer_id <> v_subscription.viewer_id\n               OR cover.ends_at >",
        "          AND (false\n               OR cover.ends_at >",
        TRANSFERRING,
    ),
    bug(
        "a subscription's transfer takes the wallets as it comes to them",
        SUBSCRIPTION_NOW,
        "        ARRAY[v_subscription.viewer_id, p_viewer], v_subscription.environment, p_now);\n",
        "        ARRAY[p_viewer], v_subscription.environment, p_now);\n",
        SUBSCRIPTION_RACES,
    ),
    bug(
        "a refund of a subscription's period waits for nobody who tells of it",
        SHARES,
        "    PERFORM payments_lock_names(p_provider, p_environment, '{}', ARRAY[p_transaction_id]);\n",
        "    PERFORM payments_lock_store_transaction(p_provider, p_environment, p_transaction_id);\n",
        SUBSCRIPTION_RACES,
    ),
    bug(
        "a refund of a subscription's period takes its buyer's wallet first",
        SHARES,
        "        ARRAY[v_purchase.viewer_id] || ARRAY(\n"
        "            SELECT viewer_id FROM payments_subscription WHERE id = v_purchase.subscription_id),\n",
        "        ARRAY[v_purchase.viewer_id],\n",
        SUBSCRIPTION_RACES,
    ),
    bug(
        "what is told together of a subscription is locked as it comes",
        SUBSCRIPTION,
        "    PERFORM payments_lock_names(p_provider, p_environment, p_subscriptions, p_transactions);\n"
        "    v_viewers",
        "    v_viewers",
        SUBSCRIPTION_RACES,
    ),
]

WATCHING_ADS = [
    bug(
        "coins open a title of ads alone",
        UNLOCK,
        "IF v_access = 'ad' THEN",
        "IF false THEN",
        ACCESS_MODES,
    ),
    bug(
        "a bundle buys a title of ads alone",
        BUNDLE,
        "IF v_access = 'ad' THEN",
        "IF false THEN",
        ACCESS_MODES,
        Edit(UNLOCK, "IF v_access = 'ad' THEN", "IF false THEN"),
    ),
    bug(
        "coins by ads carry what the last ad alone had earned",
        AD_CALLBACK,
        "FROM ads_reward WHERE goal_id = p_goal.id),",
        "FROM ads_reward WHERE id = p_reward),",
        AD_COINS,
    ),
    bug(
        "coins by ads never expire",
        AD_CALLBACK,
        "            p_now + make_interval(days => p_goal.coins_expire_after_days), p_now)",
        "            NULL, p_now)",
        AD_COINS,
    ),
    bug(
        "timed access never ends",
        AD_CALLBACK,
        "            p_goal.viewer_id, p_goal.environment, p_goal.series_id, v_episode, 'ad', v_ends_at,",
        "            p_goal.viewer_id, p_goal.environment, p_goal.series_id, v_episode, 'ad', NULL,",
        AD_MINUTES,
    ),
    bug(
        "timed access opens what is free",
        AD_CALLBACK,
        "AND NOT episode.number = ANY(p_session.free_numbers)",
        "AND true",
        AD_MINUTES,
    ),
    bug(
        "an ad opens episodes that the viewer has",
        AD_CALLBACK,
        "                   p_goal.viewer_id, p_goal.environment, episode.id, p_now) IS NULL))",
        "                   p_goal.viewer_id, p_goal.environment, asked.id, p_now) IS NULL))",
        AD_EPISODES,
    ),
    bug(
        "who has begun is held to the terms of today",
        AD_SESSION,
        "    SELECT reward_amount, ads_needed, coins_expire_after_days\n    FROM (\n",
        "    SELECT reward_amount, p_placement.ads_needed, coins_expire_after_days\n    FROM (\n",
        AD_GOALS,
        Edit(
            AD_CALLBACK,
            "granted_at = CASE WHEN ads_watched + 1 = ads_needed THEN p_now END\n",
            "ads_needed = p_session.ads_needed,\n"
            "        granted_at = CASE WHEN ads_watched + 1 = p_session.ads_needed THEN p_now END\n",
        ),
    ),
    bug(
        "an ad is announced on other terms than the one that plays",
        AD_SESSION,
        "          AND closed_at IS NULL AND expires_at > p_now\n        UNION ALL\n        SELECT 3,",
        "          AND closed_at IS NULL AND expires_at < p_now\n        UNION ALL\n        SELECT 3,",
        AD_GOALS,
    ),
    bug(
        "a late callback takes the place of a session that is open",
        AD_CALLBACK,
        "v_rewarded + v_open >= v_placement.daily_cap",
        "v_rewarded >= v_placement.daily_cap",
        AD_LATE,
    ),
    bug(
        "any publisher's word waits for an operator",
        AD_CALLBACK,
        "v_verdict = 'orphan' AND ads_may_be_ours(p_network, p_ad_unit)",
        "v_verdict = 'orphan'",
        AD_PARKING,
    ),
    bug(
        "what an operator has ended is ended again",
        AD_PARKED,
        "WHERE id = p_callback AND is_parked;",
        "WHERE id = p_callback;",
        AD_PARKING,
    ),
]

EARNING = [
    bug(
        "what became known of an ad is booked again each time",
        SETTLE,
        "           goal.micros - coalesce(booked.micros, 0), goal.viewed_at, p_now\n",
        "           goal.micros, goal.viewed_at, p_now\n",
        AD_REVENUE,
    ),
    bug(
        "the first version of a reported day counts",
        SETTLE,
        "          SELECT max(version) FROM ads_reportedday AS version\n",
        "          SELECT min(version) FROM ads_reportedday AS version\n",
        AD_REVENUE,
    ),
    bug(
        "an ad that may be rewarded still counts by itself",
        AD_VIEWS,
        "session.expires_at > p_now - interval '10 minutes'",
        "session.expires_at > p_now + interval '10 days'",
        AD_REVENUE,
    ),
    bug(
        "the app's word counts beside the network's",
        AD_VIEWS,
        "SELECT impression.source = 'client' AND EXISTS (",
        "SELECT impression.source = 'nobody' AND EXISTS (",
        AD_REVENUE,
    ),
    bug(
        "an ad that is rewarded late has earned twice",
        SETTLE,
        "former.impression_id IS NOT NULL\n",
        "former.impression_id IS NULL\n",
        AD_REVENUE,
    ),
    bug(
        "a reward whose ad the network's server did not tell of has earned nothing",
        AD_VIEWS,
        "sum(micros) FILTER (WHERE NOT is_repeated)::bigint",
        "sum(CASE WHEN is_repeated THEN 0 ELSE micros END)::bigint",
        AD_REVENUE,
    ),
    bug(
        "an app gives a title the revenue of ads that paid nothing",
        AD_VIEWS,
        "CASE WHEN told.source = 'postback' THEN session.series_id END",
        "session.series_id",
        APPS,
    ),
    bug(
        "an app may say any amount of a session",
        "ads/revenue/impressions.py",
        "    return estimate * settings.AD_SESSION_ESTIMATES_MAX or settings.AD_IMPRESSION_CAP_MICROS",
        "    return estimate * 10**9 + settings.AD_IMPRESSION_CAP_MICROS * 3",
        APPS,
    ),
    bug(
        "ads of one viewer decide a ranking",
        "analytics/reports/sql/ranking.sql",
        "CAST(least(ad_micros, cap_micros) AS DECIMAL(38, 0))",
        "CAST(ad_micros AS DECIMAL(38, 0))",
        RANKING,
    ),
    bug(
        "a viewer's apps say at once what they may say one after the other",
        "ads/revenue/impressions.py",
        "        _lock(viewer_id)\n",
        "",
        REPORT_RACES,
    ),
    bug(
        "an ad counts for the session that was opened after it",
        "ads/revenue/postbacks.py",
        "[*waiting, *reversed(after), *before]",
        "found",
        POSTBACKS,
    ),
    bug(
        "an app may claim any amount for an ad",
        "ads/revenue/impressions.py",
        "    return revenue_micros <= settings.AD_IMPRESSION_CAP_MICROS",
        "    return revenue_micros >= 0",
        IMPRESSIONS,
    ),
    bug(
        "of a report that comes twice at once neither waits",
        "ads/revenue/reports.py",
        "        _lock(brought.network)\n",
        "",
        REPORT_RACES,
    ),
]

GROWING = [
    bug(
        "a claim does not lock the wallet",
        f"{GROWTH}/tasks_0001.sql",
        "    PERFORM payments_lock_wallet(p_viewer, p_environment, p_now);\n",
        "",
        GROWTH_RACES,
    ),
    bug(
        "a campaign does not look at its budget",
        f"{GROWTH}/tasks_0001.sql",
        "          AND budget_coins >= p_coins + CASE",
        "          AND 0 <= p_coins + CASE",
        CLAIMING,
    ),
    bug(
        "a limit is one too many",
        f"{GROWTH}/limits_0001.sql",
        "count >= at_most",
        "count > at_most",
        LIMITING,
    ),
    bug(
        "a viewer who is flagged has a sign-up bonus",
        "ads/growth/claims.py",
        "    if flags.stands_on(caller.viewer.id):\n",
        "    if not caller.viewer.id:\n",
        LIMITING,
    ),
    bug(
        "what was watched before midnight counts for the day after",
        "ads/growth/automatic.py",
        "    moment = min(now, periods.last_moment(row.day))\n",
        "    moment = now\n",
        CLAIMING,
    ),
    bug(
        "whoever changes zones need not wait",
        "ads/growth/calendars.py",
        "    return max(next_date, calendar.last_at + gap)\n",
        "    return next_date\n",
        CHECKING_IN,
    ),
    bug(
        "a family that has grown together is paid as several",
        f"{GROWTH}/referrals_0001.sql",
        "    ELSIF ads_is_family_full(\n",
        "    ELSIF false AND ads_is_family_full(\n",
        GROWTH_RACES,
    ),
    bug(
        "a referral is paid though the invited viewer had money back",
        f"{GROWTH}/referrals_0001.sql",
        "    ELSIF ads_had_money_back(",
        "    ELSIF false AND ads_had_money_back(",
        REFERRING,
    ),
    bug(
        "what was watched before its session counts",
        "analytics/lake/stretches.py",
        "starts=np.maximum(begun // _SECOND, -(-issued // _MILLISECOND)),",
        "starts=begun // _SECOND,",
        WATCHING,
    ),
]

CHOOSING = [
    bug(
        "the chance of an arm forgets the holdout",
        CHOICES,
        "per_share = (100 - self.holdout_percent) * _PER_SHARE_AND_PERCENT",
        "per_share = 100 * _PER_SHARE_AND_PERCENT",
        DRAWS,
    ),
    bug(
        "a title is said to show what does not open it",
        CHOICES,
        "_among(arm.shown, means) or whole",
        "arm.shown",
        DRAWS,
    ),
    bug(
        "a viewer is drawn once for all episodes",
        CHOICES,
        'salt = f"{self.salt}:{series_id}:{episode_id}"',
        "salt = self.salt",
        DRAWS,
    ),
    bug(
        "a decision is made anew when two ask at once",
        "payments/access/offer_choices.py",
        "RETURNING id, shown",
        "RETURNING uuidv7(), shown",
        DECISIONS,
    ),
    bug(
        "an app may say that anybody's decision led to its unlock",
        "payments/access/offer_choices.py",
        "decision.id = %(decision)s AND decision.viewer_id = %(viewer)s",
        "decision.id = %(decision)s",
        DECISIONS,
    ),
    bug(
        "one account too many earns by ads on a device",
        "ads/sql/origin_0001.sql",
        "IF v_place.most <= (",
        "IF v_place.most < (",
        CROWDS,
    ),
]

ROLLING_UP = [
    bug(
        "an hour that changed while it was counted is taken for filled",
        ROLLUP_FILLING,
        "                     WHEN hour.marks <> claimed.marks THEN 'reopened' ELSE 'filled' END,\n",
        "                     ELSE 'filled' END,\n",
        ROLLUPS,
        Edit(
            ROLLUP_FILLING,
            " OR hour.marks <> claimed.marks\n",
            "\n",
        ),
    ),
    bug(
        "a dashboard forgets what went back of passes",
        "analytics/rollups/sql/ledger/billings.sql",
        "    SELECT booking.created_at, purchase.environment, 'passes', 0, 0, 0, 0, booking.net_micros\n",
        "    SELECT booking.created_at, purchase.environment, 'passes', 0, 0, 0, 0, 0\n",
        ROLLUPS,
    ),
    bug(
        "the values of an hour that is filled again are added to what was there",
        ROLLUP_FILLING,
        "        RollupValue.objects.filter(hour__in=ids).delete()\n",
        "",
        ROLLUPS,
    ),
]

EXPORTING = [
    bug(
        "an export of the ledger passes what has yet to commit",
        "analytics/sql/export_horizon_0001.sql",
        "    RETURN least(v_now, v_oldest);\n",
        "    RETURN v_now;\n",
        EXPORTS,
    ),
]

LEAVING = [
    bug(
        "facts are exported up to the next transaction, not to the first at work",
        "analytics/lake/exporting.py",
        "SELECT control.system_identifier, pg_snapshot_xmin(pg_current_snapshot())::text::bigint,",
        "SELECT control.system_identifier, pg_snapshot_xmax(pg_current_snapshot())::text::bigint,",
        FACTS,
    ),
    bug(
        "facts are exported from where the last export began",
        "analytics/lake/exporting.py",
        "(last.horizon, last.first_id) if last is not None and goes_on",
        "(0, last.first_id) if last is not None and goes_on",
        FACTS,
    ),
]

BUGS = [
    *LEAVING,
    *EXPORTING,
    *ROLLING_UP,
    *CHOOSING,
    *GROWING,
    *WATCHING_ADS,
    *EARNING,
    *SUBSCRIBING,
    *COVERING,
    *UNLOCKING,
    *IN_OTHER_WAYS,
    *BUYING_AND_GIVING,
    *GOING_BACK,
    *OFFERING,
    *COMPARING,
    *REMEMBERING,
    *THE_DATABASE,
]

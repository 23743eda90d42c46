-- Subscriptions: all that a store says of one, what was paid for it, and what is open by both.
--
-- Lock order: names of subscriptions, names of store transactions, the purchase, wallets by their viewers' ids.

-- Everybody who books something about a subscription takes this first, whether there is a row of it yet or not.
-- Held until the transaction ends.
CREATE FUNCTION payments_lock_subscription(
    p_provider text, p_environment text, p_subscription_id text
) RETURNS void
LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(
        hashtextextended(p_provider || ' ' || p_environment || ' ' || p_subscription_id, 6));
$$;

-- The subscriptions whose cover may change with what is told of these subscriptions and store transactions:
-- they themselves, those whose periods the transactions are, and those whose place any of these took.
CREATE FUNCTION payments_touched_subscriptions(
    p_provider text, p_environment text, p_subscriptions text[], p_transactions text[]
) RETURNS text[]
LANGUAGE sql STABLE AS $$
    WITH named AS (
        SELECT unnest(p_subscriptions) AS name
        UNION
        SELECT subscription.subscription_id
        FROM payments_passpurchase period
        JOIN payments_subscription subscription ON subscription.id = period.subscription_id
        WHERE period.provider = p_provider AND period.environment = p_environment
          AND period.transaction_id = ANY(p_transactions)
    )
    SELECT coalesce(array_agg(name ORDER BY name COLLATE "C"), '{}')
    FROM (
        SELECT name FROM named
        UNION
        SELECT subscription.replaces
        FROM named
        JOIN payments_subscription subscription
            ON subscription.provider = p_provider AND subscription.environment = p_environment
           AND subscription.subscription_id = named.name
    ) AS touched
    WHERE name <> '';
$$;

-- Locks the names of subscriptions and store transactions, and of every subscription that they touch, in one
-- order for everybody.
--
-- Which period a transaction is may change until its name is locked. Where it has, all is let go, and begun
-- anew with what is known by now: nobody waits for a subscription while they hold a transaction's name.
CREATE FUNCTION payments_lock_names(
    p_provider text, p_environment text, p_subscriptions text[], p_transactions text[]
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_touched text[];
BEGIN
    LOOP
        v_touched := payments_touched_subscriptions(
            p_provider, p_environment, p_subscriptions, p_transactions);
        BEGIN
            PERFORM payments_lock_subscription(p_provider, p_environment, name)
            FROM unnest(v_touched) WITH ORDINALITY AS each (name, place) ORDER BY place;
            PERFORM payments_lock_store_transaction(p_provider, p_environment, name)
            FROM (SELECT DISTINCT name COLLATE "C" AS name FROM unnest(p_transactions) AS name
                  ORDER BY 1) AS sorted;
            IF payments_touched_subscriptions(
                p_provider, p_environment, p_subscriptions, p_transactions) <@ v_touched THEN
                RETURN;
            END IF;
            RAISE EXCEPTION 'more is touched by now' USING ERRCODE = 'CH001';
        EXCEPTION WHEN SQLSTATE 'CH001' THEN
            NULL;  -- what was locked in this block is free again
        END;
    END LOOP;
END $$;

-- Locks the wallets of several viewers, in one order for everybody.
CREATE FUNCTION payments_lock_wallets(p_viewers uuid[], p_environment text, p_now timestamptz)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_viewer uuid;
BEGIN
    FOR v_viewer IN SELECT DISTINCT viewer FROM unnest(p_viewers) AS viewer ORDER BY viewer LOOP
        PERFORM payments_lock_wallet(v_viewer, p_environment, p_now);
    END LOOP;
END $$;

-- What whoever books several facts in one transaction calls first, with all the names in them: locks what the
-- facts will, as far as it is known.
CREATE FUNCTION payments_lock_facts(
    p_provider text, p_environment text, p_subscriptions text[], p_transactions text[],
    p_now timestamptz
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_viewers uuid[];
BEGIN
    PERFORM payments_lock_names(p_provider, p_environment, p_subscriptions, p_transactions);
    v_viewers := ARRAY(
        SELECT viewer_id FROM payments_subscription
        WHERE provider = p_provider AND environment = p_environment
          AND subscription_id = ANY(payments_touched_subscriptions(
              p_provider, p_environment, p_subscriptions, p_transactions))
        UNION
        SELECT viewer_id FROM payments_passpurchase
        WHERE provider = p_provider AND environment = p_environment
          AND transaction_id = ANY(p_transactions) AND subscription_id IS NOT NULL);
    PERFORM payments_lock_wallets(v_viewers, p_environment, p_now);
END $$;

-- The tellings of a subscription, the one that holds against the others first: the latest, and of two of one
-- moment that which opens longer. The rest of the order is only there so that there is one.
CREATE FUNCTION payments_tellings(p_subscription uuid) RETURNS SETOF payments_subscriptionchange
LANGUAGE sql STABLE AS $$
    SELECT * FROM payments_subscriptionchange
    WHERE subscription_id = p_subscription
    ORDER BY as_of DESC, access_until DESC NULLS LAST, state COLLATE "C" DESC, product_id DESC,
             renews_as_id DESC NULLS LAST, price_consent COLLATE "C" DESC,
             ownership COLLATE "C" DESC, replaces COLLATE "C" DESC;
$$;

-- Keeps what a store says of a subscription; safe to repeat, and in any order: every order ends alike.
--
-- A subscription is its first viewer's: p_viewer counts only where it was not known. It is where the first of
-- payments_tellings puts it, and in the place of the subscription that the first of them names which names one.
-- Returns {"id", "viewer_id", "outcome": "new" | "changed" | "outdated" | "repeated"}; of what is repeated
-- nothing is kept.
CREATE FUNCTION payments_apply_subscription(
    p_provider text, p_environment text, p_subscription_id text, p_viewer uuid, p_product uuid,
    p_state text, p_access_until timestamptz, p_renews_as uuid, p_ownership text,
    p_price_consent text, p_replaces text, p_as_of timestamptz, p_cause text, p_message uuid,
    p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_known payments_subscription;
    v_id uuid;
    v_told uuid := uuidv7();
    v_is_latest boolean;
BEGIN
    PERFORM payments_lock_names(
        p_provider, p_environment, ARRAY[p_subscription_id, p_replaces], '{}');
    SELECT * INTO v_known FROM payments_subscription
    WHERE provider = p_provider AND environment = p_environment
      AND subscription_id = p_subscription_id;
    IF EXISTS (
        SELECT FROM payments_subscriptionchange
        WHERE subscription_id = v_known.id
          AND (as_of, state, product_id, ownership, price_consent, replaces)
            = (p_as_of, p_state, p_product, p_ownership, p_price_consent, p_replaces)
          AND access_until IS NOT DISTINCT FROM p_access_until
          AND renews_as_id IS NOT DISTINCT FROM p_renews_as
    ) THEN
        RETURN jsonb_build_object(
            'id', v_known.id, 'viewer_id', v_known.viewer_id, 'outcome', 'repeated');
    END IF;

    v_id := coalesce(v_known.id, uuidv7());
    IF v_known.id IS NULL THEN
        INSERT INTO payments_subscription
            (id, provider, environment, subscription_id, viewer_id, product_id, state, access_until,
             renews_as_id, ownership, price_consent, replaces, as_of, created_at, changed_at)
        VALUES (v_id, p_provider, p_environment, p_subscription_id, p_viewer, p_product, p_state,
                p_access_until, p_renews_as, p_ownership, p_price_consent, p_replaces, p_as_of,
                p_now, p_now);
    END IF;
    INSERT INTO payments_subscriptionchange
        (id, subscription_id, cause, message_id, from_state, state, product_id, access_until,
         renews_as_id, ownership, price_consent, replaces, is_outdated, as_of, created_at)
    VALUES (v_told, v_id, p_cause, p_message, coalesce(v_known.state, ''), p_state, p_product,
            p_access_until, p_renews_as, p_ownership, p_price_consent, p_replaces, false, p_as_of,
            p_now);
    SELECT id = v_told INTO STRICT v_is_latest FROM payments_tellings(v_id) LIMIT 1;
    IF v_is_latest THEN
        UPDATE payments_subscription SET
            product_id = p_product, state = p_state, access_until = p_access_until,
            renews_as_id = p_renews_as, ownership = p_ownership, price_consent = p_price_consent,
            as_of = p_as_of, changed_at = p_now
        WHERE id = v_id;
    ELSE
        UPDATE payments_subscriptionchange SET is_outdated = true WHERE id = v_told;
    END IF;
    PERFORM payments_take_place(v_id, p_now);
    PERFORM payments_fit_with_replaced(v_id, v_known.replaces, p_now);
    RETURN (
        SELECT jsonb_build_object(
            'id', id, 'viewer_id', viewer_id,
            'outcome', CASE WHEN v_known.id IS NULL THEN 'new'
                            WHEN v_is_latest THEN 'changed' ELSE 'outdated' END)
        FROM payments_subscription WHERE id = v_id);
END $$;

-- Whose place a subscription took: a later telling may not say it any more.
CREATE FUNCTION payments_take_place(p_subscription uuid, p_now timestamptz) RETURNS void
LANGUAGE sql AS $$
    UPDATE payments_subscription subscription SET replaces = said.replaces, changed_at = p_now
    FROM (SELECT replaces FROM payments_tellings(p_subscription)
          WHERE replaces <> '' LIMIT 1) AS said
    WHERE subscription.id = p_subscription AND subscription.replaces <> said.replaces;
$$;

-- Brings the cover of a subscription to where it is now, and that of the one whose place it took, or was
-- thought to have taken (p_once).
CREATE FUNCTION payments_fit_with_replaced(p_subscription uuid, p_once text, p_now timestamptz)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_subscription payments_subscription;
    v_ids uuid[];
BEGIN
    SELECT * INTO STRICT v_subscription FROM payments_subscription WHERE id = p_subscription;
    v_ids := ARRAY(
        SELECT id FROM payments_subscription
        WHERE provider = v_subscription.provider AND environment = v_subscription.environment
          AND (subscription_id IN (v_subscription.replaces, p_once) OR id = p_subscription));
    PERFORM payments_lock_wallets(
        ARRAY(SELECT viewer_id FROM payments_subscription WHERE id = ANY(v_ids)),
        v_subscription.environment, p_now);
    PERFORM payments_fit_subscription(id, p_now) FROM unnest(v_ids) AS id;
END $$;

-- Books the money of one period, once, ever. Returns {"outcome": "credited" | "duplicate" |
-- "another_product", "purchase_id"}.
--
-- It is earned from when we heard of it, as days that are closed stay as they are, to its end; all at once
-- where that is past. What is open is not the period's but the subscription's to say. A period that was paid
-- brings p_coins, which are a gift: they carry no money.
CREATE FUNCTION payments_credit_period(
    p_provider text, p_environment text, p_transaction_id text, p_subscription uuid, p_product uuid,
    p_currency text, p_gross bigint, p_tax bigint, p_fee bigint, p_net bigint,
    p_exchange_rate numeric, p_exchange_source text, p_purchased_at timestamptz,
    p_store_starts_at timestamptz, p_store_ends_at timestamptz, p_coins bigint, p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_subscription payments_subscription;
    v_purchase uuid;
    v_starts_at timestamptz := greatest(p_now, p_store_starts_at);
BEGIN
    SELECT * INTO STRICT v_subscription FROM payments_subscription WHERE id = p_subscription;
    PERFORM payments_lock_names(
        p_provider, p_environment, ARRAY[v_subscription.subscription_id], ARRAY[p_transaction_id]);
    SELECT id INTO v_purchase FROM payments_passpurchase
    WHERE provider = p_provider AND environment = p_environment
      AND transaction_id = p_transaction_id;
    IF v_purchase IS NOT NULL THEN
        RETURN jsonb_build_object('outcome', 'duplicate', 'purchase_id', v_purchase);
    END IF;
    IF EXISTS (
        SELECT FROM payments_purchase
        WHERE provider = p_provider AND environment = p_environment
          AND transaction_id = p_transaction_id
    ) THEN
        RETURN jsonb_build_object('outcome', 'another_product');
    END IF;

    -- Somebody may have restored it for themselves meanwhile.
    SELECT * INTO STRICT v_subscription FROM payments_subscription WHERE id = p_subscription;
    PERFORM payments_lock_wallet(v_subscription.viewer_id, p_environment, p_now);
    INSERT INTO payments_passpurchase
        (id, provider, environment, transaction_id, viewer_id, product_id, subscription_id,
         period_months, period_days, currency, gross_micros, tax_micros, fee_micros, net_micros,
         exchange_rate, exchange_source, purchased_at, store_starts_at, store_ends_at, starts_at,
         ends_at, anchor_at, anchor_months, created_at)
    VALUES (uuidv7(), p_provider, p_environment, p_transaction_id, v_subscription.viewer_id,
            p_product, p_subscription, 0, 0, p_currency, p_gross, p_tax, p_fee, p_net,
            p_exchange_rate, p_exchange_source, p_purchased_at, p_store_starts_at, p_store_ends_at,
            v_starts_at, greatest(p_store_ends_at, v_starts_at + interval '1 second'), v_starts_at,
            0, p_now)
    RETURNING id INTO STRICT v_purchase;
    IF p_coins > 0 AND p_gross > 0 THEN
        UPDATE payments_passpurchase SET coins_transfer_id = payments_give_coins(
            v_subscription.viewer_id, p_environment, 'period', p_provider || ':' || p_transaction_id,
            p_coins, 0, NULL, p_now)
        WHERE id = v_purchase;
    END IF;
    PERFORM payments_settle_pass_refunds(v_purchase, p_now);
    RETURN jsonb_build_object('outcome', 'credited', 'purchase_id', v_purchase);
END $$;

-- Whether all of a pass's money has gone back, and stays there.
CREATE FUNCTION payments_is_refunded(p_purchase payments_passpurchase) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(gross_micros), 0) = (p_purchase).gross_micros AND EXISTS (
        SELECT FROM payments_refund
        WHERE pass_purchase_id = (p_purchase).id AND pass_booking_id IS NOT NULL)
    FROM payments_passrefundbooking WHERE purchase_id = (p_purchase).id;
$$;

-- Until when a subscription opens episodes, NULL where it does not, and what ends whatever it gave beyond.
--
-- Less than the store grants is open where another subscription has taken its place, and where the money of
-- its latest period has gone back: then what was paid before that began is open to its end. The latest is the one
-- that began last, whichever was heard of last.
CREATE FUNCTION payments_subscription_standing(
    p_subscription payments_subscription, OUT until timestamptz, OUT ended_by text
)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_latest payments_passpurchase;
BEGIN
    ended_by := 'told';
    IF p_subscription.state NOT IN ('active', 'cancelled', 'grace') THEN
        RETURN;
    END IF;
    IF EXISTS (
        SELECT FROM payments_subscription next
        WHERE next.provider = p_subscription.provider
          AND next.environment = p_subscription.environment
          AND next.replaces = p_subscription.subscription_id AND next.state <> 'pending'
    ) THEN
        ended_by := 'replaced';
        RETURN;
    END IF;
    until := p_subscription.access_until;
    SELECT * INTO v_latest FROM payments_passpurchase WHERE subscription_id = p_subscription.id
    ORDER BY store_starts_at DESC, store_ends_at DESC, transaction_id COLLATE "C" DESC LIMIT 1;
    IF v_latest.id IS NOT NULL AND payments_is_refunded(v_latest) THEN
        ended_by := 'refunded';
        SELECT least(until, v_latest.store_starts_at, max(period.store_ends_at)) INTO until
        FROM payments_passpurchase period
        WHERE period.subscription_id = p_subscription.id AND NOT payments_is_refunded(period)
        HAVING count(*) > 0;
    END IF;
END $$;

-- Covers the viewer of a subscription for as long as it opens episodes, and no longer. The caller holds its name
-- and the wallets of its viewer and of whoever had it before.
CREATE FUNCTION payments_fit_subscription(p_subscription uuid, p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_subscription payments_subscription;
    v_standing record;
    v_covered_until timestamptz;
    v_cover payments_cover;
BEGIN
    SELECT * INTO STRICT v_subscription FROM payments_subscription WHERE id = p_subscription;
    SELECT * INTO STRICT v_standing FROM payments_subscription_standing(v_subscription);
    FOR v_cover IN
        SELECT cover.* FROM payments_subscriptioncover part
        JOIN payments_cover cover ON cover.id = part.cover_id
        WHERE part.subscription_id = p_subscription AND cover.closed_at IS NULL
          AND cover.ends_at > p_now
          AND (cover.viewer_id <> v_subscription.viewer_id
               OR cover.ends_at > coalesce(v_standing.until, '-infinity'))
        ORDER BY cover.id
    LOOP
        PERFORM payments_close_cover(v_cover.id, p_now);
        UPDATE payments_subscriptioncover SET ended_by =
            CASE WHEN v_cover.viewer_id <> v_subscription.viewer_id THEN 'transferred'
                 ELSE v_standing.ended_by END
        WHERE cover_id = v_cover.id;
    END LOOP;
    SELECT coalesce(max(cover.ends_at), p_now) INTO v_covered_until
    FROM payments_subscriptioncover part JOIN payments_cover cover ON cover.id = part.cover_id
    WHERE part.subscription_id = p_subscription AND cover.closed_at IS NULL
      AND cover.ends_at > p_now;
    IF v_standing.until > v_covered_until THEN
        INSERT INTO payments_subscriptioncover (id, subscription_id, ended_by, cover_id)
        VALUES (uuidv7(), p_subscription, '', payments_give_cover(
            v_subscription.viewer_id, v_subscription.environment, 'subscription',
            p_subscription || ':' || uuidv7(), v_covered_until, v_standing.until, p_now));
    END IF;
END $$;

-- Gives a subscription to another viewer, who has it from now on: what it opens, and what is paid from then on.
-- Returns {"outcome": "transferred" | "own" | "too_often"}: p_limit transfers since p_since are allowed, and to an
-- operator any number.
CREATE FUNCTION payments_transfer_subscription(
    p_subscription uuid, p_viewer uuid, p_operator integer, p_limit integer, p_since timestamptz,
    p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_subscription payments_subscription;
BEGIN
    SELECT * INTO STRICT v_subscription FROM payments_subscription WHERE id = p_subscription;
    PERFORM payments_lock_names(
        v_subscription.provider, v_subscription.environment,
        ARRAY[v_subscription.subscription_id], '{}');
    SELECT * INTO STRICT v_subscription FROM payments_subscription WHERE id = p_subscription;
    IF v_subscription.viewer_id = p_viewer THEN
        RETURN jsonb_build_object('outcome', 'own');
    END IF;
    IF p_operator IS NULL AND p_limit <= (
        SELECT count(*) FROM payments_subscriptiontransfer
        WHERE subscription_id = p_subscription AND created_at > p_since
    ) THEN
        RETURN jsonb_build_object('outcome', 'too_often');
    END IF;
    PERFORM payments_lock_wallets(
        ARRAY[v_subscription.viewer_id, p_viewer], v_subscription.environment, p_now);
    INSERT INTO payments_subscriptiontransfer
        (id, subscription_id, from_viewer_id, to_viewer_id, asked_by_id, created_at)
    VALUES (uuidv7(), p_subscription, v_subscription.viewer_id, p_viewer, p_operator, p_now);
    UPDATE payments_subscription SET viewer_id = p_viewer, changed_at = p_now
    WHERE id = p_subscription;
    PERFORM payments_fit_subscription(p_subscription, p_now);
    RETURN jsonb_build_object('outcome', 'transferred');
END $$;

-- Takes back what is left of the coins that came with a period whose money has gone back, and gives it again
-- where that did not stand. What is spent of them stays spent: they were a gift. The booking that did either
-- has the transfer.
CREATE FUNCTION payments_fit_period_coins(
    p_period payments_passpurchase, p_is_refunded boolean, p_now timestamptz
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_lot payments_lot;
    v_taken record;
    v_transfer uuid;
BEGIN
    SELECT * INTO v_lot FROM payments_lot WHERE transfer_id = p_period.coins_transfer_id;
    SELECT -coalesce(sum(movement.coins), 0)::bigint AS coins,
           (max(transfer.id::text) FILTER (WHERE transfer.code = 'period_reversal'))::uuid AS by_id
    INTO v_taken
    FROM payments_lotmovement movement
    JOIN payments_transfer transfer ON transfer.id = movement.transfer_id
    WHERE movement.lot_id = v_lot.id AND transfer.code IN ('period', 'period_reversal');
    IF p_is_refunded AND v_taken.coins = 0 AND v_lot.remaining_coins > 0 THEN
        v_transfer := payments_move_period_coins(
            p_period, 'period_reversal', -v_lot.remaining_coins, p_now);
        PERFORM payments_take_from_lot(v_lot.id, v_lot.remaining_coins, v_transfer, p_now);
    ELSIF NOT p_is_refunded AND v_taken.coins > 0 THEN
        v_transfer := payments_move_period_coins(p_period, 'period', v_taken.coins, p_now);
        UPDATE payments_transfer SET reverses_id = v_taken.by_id WHERE id = v_transfer;
        PERFORM payments_return_to_lots(v_taken.by_id, v_transfer, p_now);
    END IF;
END $$;

-- Posts a period's coins into the bonus account or, below zero, out of it; returns the transfer, which the period's
-- latest refund booking keeps.
CREATE FUNCTION payments_move_period_coins(
    p_period payments_passpurchase, p_code text, p_coins bigint, p_now timestamptz
) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    v_wallet uuid := payments_lock_wallet(p_period.viewer_id, p_period.environment, p_now);
    v_transfer uuid := uuidv7();
BEGIN
    PERFORM payments_post(
        v_transfer, p_period.viewer_id, v_wallet, p_period.environment, p_code,
        p_period.id || '#' || v_transfer, ARRAY['bonus', 'periods'], ARRAY[p_coins, -p_coins],
        p_now, p_now);
    UPDATE payments_passrefundbooking SET coins_transfer_id = v_transfer
    WHERE id = (
        SELECT id FROM payments_passrefundbooking WHERE purchase_id = p_period.id
        ORDER BY id DESC LIMIT 1);
    RETURN v_transfer;
END $$;

-- Ends a pass's cover where all of its money has gone back, and gives the rest of it again where it has not.
-- What a subscription's period opens is the subscription's to say.
CREATE OR REPLACE FUNCTION payments_cover_as_paid(
    p_purchase payments_passpurchase, p_now timestamptz
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_cover payments_cover;
    v_last payments_passrefundbooking;
    v_is_refunded boolean := payments_is_refunded(p_purchase);
BEGIN
    IF p_purchase.subscription_id IS NOT NULL THEN
        PERFORM payments_fit_subscription(p_purchase.subscription_id, p_now);
        PERFORM payments_fit_period_coins(p_purchase, v_is_refunded, p_now);
        RETURN;
    END IF;
    SELECT * INTO v_last FROM payments_passrefundbooking
    WHERE purchase_id = p_purchase.id ORDER BY id DESC LIMIT 1;
    SELECT * INTO STRICT v_cover FROM payments_cover
    WHERE id = p_purchase.cover_id
       OR id IN (SELECT cover_id FROM payments_passrefundbooking WHERE purchase_id = p_purchase.id)
    ORDER BY id DESC LIMIT 1;
    IF p_purchase.ends_at <= p_now OR v_is_refunded = (v_cover.closed_at IS NOT NULL) THEN
        RETURN;
    END IF;
    IF v_is_refunded THEN
        PERFORM payments_close_cover(v_cover.id, p_now);
    ELSE
        UPDATE payments_passrefundbooking SET cover_id = payments_give_cover(
            p_purchase.viewer_id, p_purchase.environment, 'pass',
            p_purchase.provider || ':' || p_purchase.transaction_id || ':' || v_last.id,
            greatest(p_now, p_purchase.starts_at), p_purchase.ends_at, p_now)
        WHERE id = v_last.id;
    END IF;
END $$;

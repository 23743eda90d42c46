-- Subscriptions: the latest that a store says of one, what was paid for it, and what is open by both.
--
-- Lock order: the subscription's name, the store transaction, the purchase, the wallet.

CREATE FUNCTION payments_lock_subscription(
    p_provider text, p_environment text, p_subscription_id text
) RETURNS void
LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(
        hashtextextended(p_provider || ' ' || p_environment || ' ' || p_subscription_id, 6));
$$;

-- Whether the one telling of a subscription goes before the other: the later does, and of two of one moment
-- the one that opens longer, so that every order of tellings ends alike.
CREATE FUNCTION payments_tells_more(
    p_as_of timestamptz, p_access_until timestamptz, p_state text,
    p_other_as_of timestamptz, p_other_access_until timestamptz, p_other_state text
) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT (p_as_of, coalesce(p_access_until, '-infinity'), p_state)
         > (p_other_as_of, coalesce(p_other_access_until, '-infinity'), p_other_state);
$$;

-- Keeps what a store says of a subscription; safe to repeat, in any order.
--
-- A subscription is its first viewer's: p_viewer counts only where it was not known. What is told of a moment
-- before the latest is kept as a change that is outdated, and changes nothing. Returns {"id", "viewer_id",
-- "outcome": "new" | "changed" | "outdated" | "repeated"}; of what is repeated no change is kept.
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
    v_outcome text;
BEGIN
    PERFORM payments_lock_subscription(p_provider, p_environment, p_subscription_id);
    SELECT * INTO v_known FROM payments_subscription
    WHERE provider = p_provider AND environment = p_environment
      AND subscription_id = p_subscription_id;
    v_outcome := CASE
        WHEN v_known.id IS NULL THEN 'new'
        WHEN (v_known.as_of, v_known.state, v_known.product_id)
             = (p_as_of, p_state, p_product)
         AND v_known.access_until IS NOT DISTINCT FROM p_access_until THEN 'repeated'
        WHEN payments_tells_more(
            v_known.as_of, v_known.access_until, v_known.state, p_as_of, p_access_until, p_state)
            THEN 'outdated'
        ELSE 'changed' END;
    v_id := coalesce(v_known.id, uuidv7());
    IF v_outcome = 'new' THEN
        INSERT INTO payments_subscription
            (id, provider, environment, subscription_id, viewer_id, product_id, state, access_until,
             renews_as_id, ownership, price_consent, replaces, as_of, created_at, changed_at)
        VALUES (v_id, p_provider, p_environment, p_subscription_id, p_viewer, p_product, p_state,
                p_access_until, p_renews_as, p_ownership, p_price_consent, p_replaces, p_as_of,
                p_now, p_now);
    ELSIF v_outcome = 'changed' THEN
        UPDATE payments_subscription SET
            product_id = p_product, state = p_state, access_until = p_access_until,
            renews_as_id = p_renews_as, ownership = p_ownership, price_consent = p_price_consent,
            replaces = CASE WHEN p_replaces = '' THEN replaces ELSE p_replaces END,
            as_of = p_as_of, changed_at = p_now
        WHERE id = v_id;
    END IF;
    IF v_outcome <> 'repeated' THEN
        INSERT INTO payments_subscriptionchange
            (id, subscription_id, cause, message_id, from_state, state, product_id, access_until,
             is_outdated, as_of, created_at)
        VALUES (uuidv7(), v_id, p_cause, p_message, coalesce(v_known.state, ''), p_state, p_product,
                p_access_until, v_outcome = 'outdated', p_as_of, p_now);
        PERFORM payments_fit_subscription(v_id, p_now);
        PERFORM payments_fit_subscription(replaced.id, p_now)
        FROM payments_subscription replaced
        WHERE replaced.provider = p_provider AND replaced.environment = p_environment
          AND replaced.subscription_id = p_replaces;
    END IF;
    RETURN (
        SELECT jsonb_build_object('id', id, 'viewer_id', viewer_id, 'outcome', v_outcome)
        FROM payments_subscription WHERE id = v_id);
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
    PERFORM payments_lock_subscription(
        v_subscription.provider, v_subscription.environment, v_subscription.subscription_id);
    PERFORM payments_lock_store_transaction(p_provider, p_environment, p_transaction_id);
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

-- Until when a subscription opens episodes; NULL where it does not.
--
-- Less than the store grants is open where another subscription has taken its place, and where the money of
-- its latest period has gone back.
CREATE FUNCTION payments_subscription_opens_until(p_subscription payments_subscription)
RETURNS timestamptz
LANGUAGE sql STABLE AS $$
    SELECT (p_subscription).access_until
    WHERE (p_subscription).state IN ('active', 'cancelled', 'grace')
      AND NOT EXISTS (
          SELECT FROM payments_subscription next
          WHERE next.provider = (p_subscription).provider
            AND next.environment = (p_subscription).environment
            AND next.replaces = (p_subscription).subscription_id AND next.state <> 'pending')
      AND NOT coalesce((
          SELECT payments_is_refunded(period) FROM payments_passpurchase period
          WHERE period.subscription_id = (p_subscription).id
          ORDER BY period.store_ends_at DESC, period.purchased_at DESC, period.id DESC LIMIT 1
      ), false);
$$;

-- Covers the viewer of a subscription for as long as it opens episodes, and no longer.
CREATE FUNCTION payments_fit_subscription(p_subscription uuid, p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_subscription payments_subscription;
    v_until timestamptz;
    v_covered_until timestamptz;
    v_cover uuid;
BEGIN
    SELECT * INTO STRICT v_subscription FROM payments_subscription WHERE id = p_subscription;
    PERFORM payments_lock_wallet(v_subscription.viewer_id, v_subscription.environment, p_now);
    v_until := payments_subscription_opens_until(v_subscription);
    FOR v_cover IN
        SELECT cover.id FROM payments_subscriptioncover part
        JOIN payments_cover cover ON cover.id = part.cover_id
        WHERE part.subscription_id = p_subscription AND cover.closed_at IS NULL
          AND cover.ends_at > p_now
          AND (cover.viewer_id <> v_subscription.viewer_id
               OR cover.ends_at > coalesce(v_until, '-infinity'))
        ORDER BY cover.id
    LOOP
        PERFORM payments_close_cover(v_cover, p_now);
    END LOOP;
    IF v_until IS NULL OR v_until <= p_now THEN
        RETURN;
    END IF;
    SELECT max(cover.ends_at) INTO v_covered_until FROM payments_subscriptioncover part
    JOIN payments_cover cover ON cover.id = part.cover_id
    WHERE part.subscription_id = p_subscription AND cover.closed_at IS NULL
      AND cover.ends_at > p_now;
    IF coalesce(v_covered_until, p_now) >= v_until THEN
        RETURN;
    END IF;
    v_cover := payments_give_cover(
        v_subscription.viewer_id, v_subscription.environment, 'subscription',
        p_subscription || ':' || uuidv7(), coalesce(v_covered_until, p_now), v_until, p_now);
    INSERT INTO payments_subscriptioncover (id, subscription_id, cover_id)
    VALUES (uuidv7(), p_subscription, v_cover);
END $$;

-- Gives a subscription to another viewer, who has it from now on: what it opens, and what is paid from then on.
-- Returns {"outcome": "transferred" | "own" | "too_often"}: p_limit transfers since p_since are allowed.
CREATE FUNCTION payments_transfer_subscription(
    p_subscription uuid, p_viewer uuid, p_operator integer, p_limit integer, p_since timestamptz,
    p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_subscription payments_subscription;
    v_wallet uuid;
BEGIN
    SELECT * INTO STRICT v_subscription FROM payments_subscription WHERE id = p_subscription;
    PERFORM payments_lock_subscription(
        v_subscription.provider, v_subscription.environment, v_subscription.subscription_id);
    SELECT * INTO STRICT v_subscription FROM payments_subscription WHERE id = p_subscription;
    IF v_subscription.viewer_id = p_viewer THEN
        RETURN jsonb_build_object('outcome', 'own');
    END IF;
    IF p_limit <= (
        SELECT count(*) FROM payments_subscriptiontransfer
        WHERE subscription_id = p_subscription AND created_at > p_since
    ) THEN
        RETURN jsonb_build_object('outcome', 'too_often');
    END IF;
    -- Two wallets are locked in one order, whichever way a subscription goes.
    FOR v_wallet IN
        SELECT viewer FROM unnest(ARRAY[v_subscription.viewer_id, p_viewer]) AS viewer ORDER BY viewer
    LOOP
        PERFORM payments_lock_wallet(v_wallet, v_subscription.environment, p_now);
    END LOOP;
    INSERT INTO payments_subscriptiontransfer
        (id, subscription_id, from_viewer_id, to_viewer_id, asked_by_id, created_at)
    VALUES (uuidv7(), p_subscription, v_subscription.viewer_id, p_viewer, p_operator, p_now);
    UPDATE payments_subscription SET viewer_id = p_viewer, changed_at = p_now
    WHERE id = p_subscription;
    PERFORM payments_fit_subscription(p_subscription, p_now);
    RETURN jsonb_build_object('outcome', 'transferred');
END $$;

-- Takes back what is left of the coins that came with a period whose money has gone back, and gives it again
-- where that did not stand. What is spent of them stays spent: they were a gift.
CREATE FUNCTION payments_fit_period_coins(
    p_period payments_passpurchase, p_is_refunded boolean, p_now timestamptz
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_wallet uuid := payments_lock_wallet(p_period.viewer_id, p_period.environment, p_now);
    v_lot payments_lot;
    v_taken record;
    v_transfer uuid := uuidv7();
BEGIN
    SELECT * INTO v_lot FROM payments_lot WHERE transfer_id = p_period.coins_transfer_id;
    SELECT -coalesce(sum(movement.coins), 0) AS coins,
           (max(transfer.id::text) FILTER (WHERE transfer.code = 'period_reversal'))::uuid AS by_id
    INTO v_taken
    FROM payments_lotmovement movement
    JOIN payments_transfer transfer ON transfer.id = movement.transfer_id
    WHERE movement.lot_id = v_lot.id AND transfer.code IN ('period', 'period_reversal');
    IF p_is_refunded AND v_taken.coins = 0 AND v_lot.remaining_coins > 0 THEN
        PERFORM payments_post(
            v_transfer, p_period.viewer_id, v_wallet, p_period.environment, 'period_reversal',
            p_period.id || '#' || v_transfer, ARRAY['bonus', 'periods'],
            ARRAY[-v_lot.remaining_coins, v_lot.remaining_coins], p_now, p_now);
        PERFORM payments_take_from_lot(v_lot.id, v_lot.remaining_coins, v_transfer, p_now);
    ELSIF NOT p_is_refunded AND v_taken.coins > 0 THEN
        PERFORM payments_post(
            v_transfer, p_period.viewer_id, v_wallet, p_period.environment, 'period',
            p_period.id || '#' || v_transfer, ARRAY['bonus', 'periods'],
            ARRAY[v_taken.coins, -v_taken.coins], p_now, p_now);
        UPDATE payments_transfer SET reverses_id = v_taken.by_id WHERE id = v_transfer;
        PERFORM payments_return_to_lots(v_taken.by_id, v_transfer, p_now);
    END IF;
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

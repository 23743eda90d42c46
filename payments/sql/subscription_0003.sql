-- Periods that were prorated: what is charged after a change of plan is a difference, and the period that it is the
-- rest of stands and falls with that one's money.

-- Books the money of one period, once, ever. Returns {"outcome": "credited" | "duplicate" |
-- "another_product", "purchase_id"}.
--
-- It is earned from when we heard of it, as days that are closed stay as they are, to its end; all at once
-- where that is past. What is open is not the period's but the subscription's to say. It brings p_coins, which
-- are a gift: they carry no money.
CREATE FUNCTION payments_credit_period(
    p_provider text, p_environment text, p_transaction_id text, p_subscription uuid, p_product uuid,
    p_currency text, p_gross bigint, p_tax bigint, p_fee bigint, p_net bigint,
    p_exchange_rate numeric, p_exchange_source text, p_purchased_at timestamptz,
    p_store_starts_at timestamptz, p_store_ends_at timestamptz, p_coins bigint,
    p_is_prorated boolean, p_now timestamptz
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
         exchange_rate, exchange_source, purchased_at, store_starts_at, store_ends_at, is_prorated,
         starts_at, ends_at, anchor_at, anchor_months, created_at)
    VALUES (uuidv7(), p_provider, p_environment, p_transaction_id, v_subscription.viewer_id,
            p_product, p_subscription, 0, 0, p_currency, p_gross, p_tax, p_fee, p_net,
            p_exchange_rate, p_exchange_source, p_purchased_at, p_store_starts_at, p_store_ends_at,
            p_is_prorated, v_starts_at, greatest(p_store_ends_at, v_starts_at + interval '1 second'),
            v_starts_at, 0, p_now)
    RETURNING id INTO STRICT v_purchase;
    IF p_coins > 0 THEN
        UPDATE payments_passpurchase SET coins_transfer_id = payments_give_coins(
            v_subscription.viewer_id, p_environment, 'period', p_provider || ':' || p_transaction_id,
            p_coins, 0, NULL, p_now)
        WHERE id = v_purchase;
    END IF;
    PERFORM payments_settle_pass_refunds(v_purchase, p_now);
    RETURN jsonb_build_object('outcome', 'credited', 'purchase_id', v_purchase);
END $$;

-- As code calls it that knows no prorated periods, and leaves it to this which of them are free.
CREATE OR REPLACE FUNCTION payments_credit_period(
    p_provider text, p_environment text, p_transaction_id text, p_subscription uuid, p_product uuid,
    p_currency text, p_gross bigint, p_tax bigint, p_fee bigint, p_net bigint,
    p_exchange_rate numeric, p_exchange_source text, p_purchased_at timestamptz,
    p_store_starts_at timestamptz, p_store_ends_at timestamptz, p_coins bigint, p_now timestamptz
) RETURNS jsonb
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT payments_credit_period(
        p_provider, p_environment, p_transaction_id, p_subscription, p_product, p_currency, p_gross,
        p_tax, p_fee, p_net, p_exchange_rate, p_exchange_source, p_purchased_at, p_store_starts_at,
        p_store_ends_at, CASE WHEN p_gross > 0 THEN p_coins ELSE 0 END, false, p_now);
$$;

-- The periods whose money decides what a subscription opens: the latest that was charged, and the latest whole
-- one, without which what was charged for its rest would be a small part of its price. The latest is the one that
-- began last, whichever was heard of last. A prorated one of nothing was paid with the money of those before it.
CREATE FUNCTION payments_latest_periods(p_subscription uuid) RETURNS SETOF payments_passpurchase
LANGUAGE sql STABLE AS $$
    (SELECT * FROM payments_passpurchase
     WHERE subscription_id = p_subscription AND (NOT is_prorated OR gross_micros > 0)
     ORDER BY store_starts_at DESC, store_ends_at DESC, transaction_id COLLATE "C" DESC LIMIT 1)
    UNION
    (SELECT * FROM payments_passpurchase
     WHERE subscription_id = p_subscription AND NOT is_prorated
     ORDER BY store_starts_at DESC, store_ends_at DESC, transaction_id COLLATE "C" DESC LIMIT 1);
$$;

-- Until when a subscription opens episodes, NULL where it does not, and what ends whatever it gave beyond.
--
-- Less than the store grants is open where another subscription has taken its place, and where the money of
-- its latest period has gone back: then what was paid before that began is open to its end. What the store grants
-- beyond that period's end is another's, whose money nobody has told of; but for a grace, in which nothing was paid.
CREATE OR REPLACE FUNCTION payments_subscription_standing(
    p_subscription payments_subscription, OUT until timestamptz, OUT ended_by text
)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_from timestamptz;
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
    SELECT min(latest.store_starts_at) INTO v_from
    FROM payments_latest_periods(p_subscription.id) latest
    WHERE (p_subscription.state = 'grace' OR until <= latest.store_ends_at)
      AND payments_is_refunded(latest);
    IF v_from IS NOT NULL THEN
        ended_by := 'refunded';
        SELECT least(until, v_from, max(period.store_ends_at)) INTO until
        FROM payments_passpurchase period
        WHERE period.subscription_id = p_subscription.id
          AND (NOT period.is_prorated OR period.gross_micros > 0)
          AND NOT payments_is_refunded(period)
        HAVING count(*) > 0;
    END IF;
END $$;

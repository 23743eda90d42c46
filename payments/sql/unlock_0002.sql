-- Spends coins on one episode, as unlock_0001.sql says, through the one door to entitlements.
CREATE OR REPLACE FUNCTION payments_spend_on_episode(
    p_viewer uuid, p_environment text, p_episode uuid, p_series uuid, p_numbering integer,
    p_price_version uuid, p_prices integer[], p_price_after integer, p_arm text,
    p_playback_session uuid, p_position_ms integer, p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    v_number integer;
    v_is_quoted boolean;
    v_wallet payments_wallet;
    v_live payments_entitlement;
    v_price bigint;
    v_has_paid bigint;
    v_has_bonus bigint;
    v_paid bigint;
    v_bonus bigint;
    v_value bigint;
    v_lots uuid[];
    v_takes bigint[];
    v_transfer uuid;
    v_unlock uuid := uuidv7();
    v_entitlement uuid;
BEGIN
    SELECT episode.number, series.id = p_series AND series.numbering = p_numbering
    INTO v_number, v_is_quoted
    FROM catalog_episode episode JOIN catalog_series series ON series.id = episode.series_id
    WHERE episode.id = p_episode
      AND episode.state = 'published' AND series.state = 'published';
    IF v_number IS NULL THEN
        RETURN jsonb_build_object('outcome', 'episode_unavailable');
    END IF;
    IF NOT v_is_quoted THEN
        RETURN jsonb_build_object('outcome', 'quote_outdated');
    END IF;
    v_price := coalesce(p_prices[v_number], p_price_after);

    SELECT * INTO v_wallet FROM payments_wallet
    WHERE viewer_id = p_viewer AND environment = p_environment FOR UPDATE;

    v_transfer := uuidv7();  -- drawn under the lock, so that a statement in id order is in ledger order

    SELECT * INTO v_live FROM payments_entitlement
    WHERE viewer_id = p_viewer AND episode_id = p_episode AND environment = p_environment
      AND closed_at IS NULL;
    -- What can be spent, and which lots pay how much: `before` is what earlier lots can give.
    WITH lot AS (
        SELECT id, kind, remaining_coins,
               row_number() OVER spend_order AS place,
               sum(remaining_coins) OVER spend_order - remaining_coins AS before
        FROM payments_lot
        WHERE wallet_id = v_wallet.id AND remaining_coins > 0
          AND (expires_at IS NULL OR expires_at > p_now)
        WINDOW spend_order AS (ORDER BY kind = 'paid', expires_at NULLS LAST, granted_at, id)
    )
    SELECT coalesce(sum(remaining_coins) FILTER (WHERE kind = 'paid'), 0),
           coalesce(sum(remaining_coins) FILTER (WHERE kind = 'bonus'), 0),
           array_agg(id ORDER BY place) FILTER (WHERE before < v_price),
           array_agg(least(remaining_coins, v_price - before) ORDER BY place)
               FILTER (WHERE before < v_price),
           coalesce(sum(least(remaining_coins, v_price - before))
               FILTER (WHERE before < v_price AND kind = 'bonus'), 0)
    INTO v_has_paid, v_has_bonus, v_lots, v_takes, v_bonus
    FROM lot;

    IF v_live.id IS NOT NULL AND (v_live.ends_at IS NULL OR v_live.ends_at > p_now) THEN
        RETURN jsonb_build_object(
            'outcome', 'already_unlocked', 'entitlement_id', v_live.id, 'number', v_number,
            'balance_paid_coins', v_has_paid, 'balance_bonus_coins', v_has_bonus);
    END IF;
    IF v_price = 0 THEN
        RETURN jsonb_build_object(
            'outcome', 'free', 'number', v_number,
            'balance_paid_coins', v_has_paid, 'balance_bonus_coins', v_has_bonus);
    END IF;
    IF v_has_paid + v_has_bonus < v_price THEN
        RETURN jsonb_build_object(
            'outcome', 'insufficient_coins', 'number', v_number, 'price_coins', v_price,
            'balance_coins', v_has_paid + v_has_bonus,
            'shortfall_coins', v_price - v_has_paid - v_has_bonus);
    END IF;
    v_paid := v_price - v_bonus;

    PERFORM payments_post(
        v_transfer, p_viewer, v_wallet.id, p_environment, 'unlock', v_unlock::text,
        ARRAY['bonus', 'paid', 'unlocks'], ARRAY[-v_bonus, -v_paid, v_price], p_now, p_now);

    -- After n of a lot's coins are spent, floor(value * n / granted) has been recognised: exact to
    -- the micro, the remainder with the last coin.
    WITH spent AS (
        UPDATE payments_lot AS lot SET
            remaining_coins = lot.remaining_coins - take.coins,
            remaining_value_micros = lot.value_micros - div(
                lot.value_micros::numeric
                    * (lot.granted_coins - lot.remaining_coins + take.coins),
                lot.granted_coins::numeric)::bigint
        FROM unnest(v_lots, v_takes) AS take(id, coins)
        WHERE lot.id = take.id
        RETURNING new.id, take.coins, old.remaining_value_micros - new.remaining_value_micros AS value
    ), kept AS (
        INSERT INTO payments_lotspend (id, lot_id, transfer_id, coins, value_micros)
        SELECT uuidv7(), spent.id, v_transfer, spent.coins, spent.value FROM spent
        RETURNING value_micros
    )
    SELECT sum(value_micros) INTO v_value FROM kept;

    v_entitlement := payments_open_episode(
        p_viewer, p_environment, p_series, p_episode, 'coins', NULL, p_now);
    INSERT INTO payments_unlock
        (id, viewer_id, environment, episode_id, entitlement_id, transfer_id, price_version_id,
         arm, price_coins, paid_coins, bonus_coins, value_micros, playback_session_id, position_ms,
         created_at)
    VALUES (v_unlock, p_viewer, p_environment, p_episode, v_entitlement, v_transfer,
            p_price_version, p_arm, v_price, v_paid, v_bonus, v_value, p_playback_session,
            p_position_ms, p_now);

    RETURN jsonb_build_object(
        'outcome', 'unlocked', 'unlock_id', v_unlock, 'entitlement_id', v_entitlement,
        'number', v_number, 'price_coins', v_price, 'paid_coins', v_paid, 'bonus_coins', v_bonus,
        'balance_paid_coins', v_has_paid - v_paid, 'balance_bonus_coins', v_has_bonus - v_bonus);
END $$;

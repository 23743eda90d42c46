-- Unlocks one episode, in one round trip and one transaction: with coins, or without them where a
-- subscription or pass covers it. A rented one is open for p_rental_seconds, any other for good.
--
-- The caller has verified the quote, which holds for one series and one numbering of its episodes;
-- p_prices holds the price of episodes 1..n of its price version, as p_adjustments adjust it, and
-- p_price_after the price of every later one. Returns the outcome as JSON, the same for every call with
-- the same key, and whether it is a replay. Refusals are returned, never raised, so that a pinned refusal commits.
--
-- Where a title is opened by ads alone nothing is charged, whatever was quoted before it became so.
--
-- A viewer who has spent today's p_allowed_coins is asked first whether more is meant. The day on the
-- wallet never goes back: of two requests around midnight, the later one's day counts for both.
--
-- Lock order: idempotency record, then wallet. Everything that gates the spend is read after the
-- wallet is locked.
--
-- Every row is found by its key. PostgreSQL keeps a function's plans for as long as the connection
-- lives, and a plan made while a table was small would read all of it when it is large.
--
-- Spend order: bonus lots that expire, soonest first; other bonus lots; paid lots; oldest first.
CREATE OR REPLACE FUNCTION payments_spend_on_episode(
    p_viewer uuid, p_environment text, p_episode uuid, p_series uuid, p_numbering integer,
    p_price_version uuid, p_adjustments uuid[], p_prices integer[], p_price_after integer, p_arm text,
    p_quote_expires_at timestamptz, p_playback_session uuid, p_position_ms integer,
    p_rental_seconds integer, p_bundle uuid, p_consent uuid, p_most_coins integer,
    p_day date, p_allowed_coins bigint, p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    v_number integer;
    v_is_quoted boolean;
    v_access text;
    v_wallet payments_wallet;
    v_live payments_entitlement;
    v_price bigint;
    v_has_paid bigint;
    v_has_bonus bigint;
    v_paid bigint;
    v_bonus bigint;
    v_value bigint;
    v_attribution bigint;
    v_lots uuid[];
    v_takes bigint[];
    v_transfer uuid;
    v_unlock uuid := uuidv7();
    v_entitlement uuid;
    v_ends_at timestamptz := p_now + make_interval(secs => p_rental_seconds);
    v_day date;
    v_spent bigint;
    v_refusal jsonb;
BEGIN
    SELECT episode.number, series.id = p_series AND series.numbering = p_numbering,
           series.access_mode
    INTO v_number, v_is_quoted, v_access
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
            'ends_at', v_live.ends_at,
            'balance_paid_coins', v_has_paid, 'balance_bonus_coins', v_has_bonus);
    END IF;
    IF v_price = 0 THEN
        RETURN jsonb_build_object(
            'outcome', 'free', 'number', v_number,
            'balance_paid_coins', v_has_paid, 'balance_bonus_coins', v_has_bonus);
    END IF;
    IF v_wallet.covered_until > p_now THEN
        v_entitlement := payments_open_under_cover(v_wallet, p_series, p_episode, p_now);
        IF v_entitlement IS NOT NULL THEN
            RETURN jsonb_build_object(
                'outcome', 'covered', 'entitlement_id', v_entitlement, 'number', v_number,
                'balance_paid_coins', v_has_paid, 'balance_bonus_coins', v_has_bonus);
        END IF;
    END IF;
    IF v_access = 'ad' THEN
        RETURN jsonb_build_object('outcome', 'episode_ads_only');
    END IF;
    IF v_wallet.held_at IS NOT NULL THEN
        RETURN jsonb_build_object('outcome', 'wallet_on_hold');
    END IF;
    v_day := greatest(v_wallet.spent_on, p_day);
    IF p_consent IS NOT NULL THEN
        v_refusal := payments_refuse_auto_unlock(
            p_consent, p_viewer, p_environment, p_series, v_price, p_most_coins, v_day);
        IF v_refusal IS NOT NULL THEN
            RETURN v_refusal;
        END IF;
    END IF;
    IF v_has_paid + v_has_bonus < v_price THEN
        RETURN jsonb_build_object(
            'outcome', 'insufficient_coins', 'number', v_number, 'price_coins', v_price,
            'balance_coins', v_has_paid + v_has_bonus,
            'shortfall_coins', v_price - v_has_paid - v_has_bonus);
    END IF;
    v_spent := CASE WHEN v_wallet.spent_on = v_day THEN v_wallet.spent_coins ELSE 0 END;
    IF v_spent + v_price > p_allowed_coins THEN
        RETURN jsonb_build_object(
            'outcome', 'spend_confirmation_needed', 'number', v_number, 'price_coins', v_price,
            'spent_today_coins', v_spent);
    END IF;
    v_paid := v_price - v_bonus;

    PERFORM payments_post(
        v_transfer, p_viewer, v_wallet.id, p_environment, 'unlock', v_unlock::text,
        ARRAY['bonus', 'paid', 'unlocks'], ARRAY[-v_bonus, -v_paid, v_price], p_now, p_now, v_day);

    -- As payments_take_from_lot does it, for all lots in one statement.
    WITH spent AS (
        UPDATE payments_lot AS lot SET
            remaining_coins = lot.remaining_coins - take.coins,
            remaining_value_micros = least(
                lot.remaining_value_micros,
                lot.value_micros - div(
                    lot.value_micros::numeric
                        * (lot.granted_coins - lot.remaining_coins + take.coins),
                    lot.granted_coins::numeric)::bigint)
        FROM unnest(v_lots, v_takes) AS take(id, coins)
        WHERE lot.id = take.id
        RETURNING new.id, new.origin, take.coins,
                  old.remaining_value_micros - new.remaining_value_micros AS value
    ), kept AS (
        INSERT INTO payments_lotmovement
            (id, lot_id, transfer_id, coins, value_micros, created_at)
        SELECT uuidv7(), spent.id, v_transfer, -spent.coins, -spent.value, p_now FROM spent
    )
    SELECT coalesce(sum(value) FILTER (WHERE origin <> 'reward'), 0),
           coalesce(sum(value) FILTER (WHERE origin = 'reward'), 0)
    INTO v_value, v_attribution FROM spent;

    v_entitlement := payments_open_episode(
        p_viewer, p_environment, p_series, p_episode, 'coins', v_ends_at, p_now);
    INSERT INTO payments_unlock
        (id, viewer_id, environment, episode_id, entitlement_id, transfer_id, price_version_id,
         adjustments, arm, number, numbering, quote_expires_at, price_coins, paid_coins, bonus_coins,
         value_micros, attribution_micros, playback_session_id, position_ms, way, bundle_id,
         consent_id, day, created_at)
    VALUES (v_unlock, p_viewer, p_environment, p_episode, v_entitlement, v_transfer,
            p_price_version, p_adjustments, p_arm, v_number, p_numbering, p_quote_expires_at, v_price, v_paid,
            v_bonus, v_value, v_attribution, p_playback_session, p_position_ms,
            CASE WHEN p_consent IS NOT NULL THEN 'auto' WHEN p_bundle IS NOT NULL THEN 'bundle'
                 WHEN p_rental_seconds IS NOT NULL THEN 'rental' ELSE 'single' END,
            p_bundle, p_consent, v_day, p_now);

    RETURN jsonb_build_object(
        'outcome', 'unlocked', 'unlock_id', v_unlock, 'entitlement_id', v_entitlement,
        'number', v_number, 'price_coins', v_price, 'paid_coins', v_paid, 'bonus_coins', v_bonus,
        'ends_at', v_ends_at, 'unlocked_at', p_now,
        'balance_paid_coins', v_has_paid - v_paid, 'balance_bonus_coins', v_has_bonus - v_bonus);
END $$;

CREATE OR REPLACE FUNCTION payments_unlock(
    p_viewer uuid, p_environment text, p_episode uuid, p_series uuid, p_numbering integer,
    p_price_version uuid, p_adjustments uuid[], p_prices integer[], p_price_after integer, p_arm text,
    p_quote_expires_at timestamptz, p_playback_session uuid, p_position_ms integer,
    p_rental_seconds integer, p_consent uuid, p_most_coins integer,
    p_day date, p_allowed_coins bigint, p_key text, p_fingerprint bytea, p_now timestamptz,
    OUT outcome jsonb, OUT is_replay boolean, OUT answer bytea
)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_record payments_idempotencyrecord;
BEGIN
    is_replay := false;
    IF p_key IS NOT NULL THEN
        v_record := payments_claim_key(p_viewer, 'unlock', p_key, p_fingerprint, p_now);
        IF v_record.id IS NOT NULL THEN
            is_replay := true;
            answer := v_record.answer;
            outcome := CASE WHEN v_record.fingerprint = p_fingerprint THEN v_record.outcome
                            ELSE jsonb_build_object('outcome', 'key_reused') END;
            RETURN;
        END IF;
    END IF;
    outcome := payments_spend_on_episode(
        p_viewer, p_environment, p_episode, p_series, p_numbering, p_price_version, p_adjustments,
        p_prices, p_price_after, p_arm, p_quote_expires_at, p_playback_session, p_position_ms,
        p_rental_seconds, NULL, p_consent, p_most_coins, p_day, p_allowed_coins, p_now);
    IF p_key IS NOT NULL THEN
        PERFORM payments_end_unlock_key(p_viewer, p_key, outcome);
    END IF;
END $$;

-- Keeps what was decided under a claimed key, or lets go of the key where it is no answer to keep: the
-- client comes again with the same key, with the new quote, with its confirmation, or later.
CREATE OR REPLACE FUNCTION payments_end_unlock_key(p_viewer uuid, p_key text, p_outcome jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF p_outcome ->> 'outcome' IN (
        'quote_outdated', 'wallet_on_hold', 'spend_confirmation_needed', 'episode_ads_only',
        'auto_unlock_off', 'auto_unlock_price_rose', 'auto_unlock_cap_reached'
    ) THEN
        PERFORM payments_release_key(p_viewer, 'unlock', p_key);
    ELSE
        PERFORM payments_settle_key(p_viewer, 'unlock', p_key, p_outcome);
    END IF;
END $$;

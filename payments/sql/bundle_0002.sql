-- Unlocks all that is left of a series at once, each episode with an unlock of its own: all or nothing.
--
-- The caller has verified the quote, which promises p_numbers at p_prices, or p_price_after past their end.
-- Whatever is not as it was quoted, one of them owned by now or not to be had any more, is a quote that is
-- outdated: nothing is opened. Returns what payments_unlock returns, with each episode under "episodes".
--
-- Lock order: idempotency record, then wallet. Everything that gates the spend is read after the wallet
-- is locked; under that lock the episodes are then charged by the function that charges one. Where a title
-- is opened by ads alone nothing is charged.
CREATE OR REPLACE FUNCTION payments_spend_on_bundle(
    p_viewer uuid, p_environment text, p_series uuid, p_numbering integer, p_numbers integer[],
    p_price_version uuid, p_adjustments uuid[], p_prices integer[], p_price_after integer, p_arm text,
    p_quote_expires_at timestamptz, p_playback_session uuid, p_position_ms integer,
    p_day date, p_allowed_coins bigint, p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    v_episodes uuid[];
    v_wallet payments_wallet;
    v_owned integer;
    v_access text;
    v_price bigint;
    v_paid bigint;
    v_bonus bigint;
    v_spent bigint;
    v_bundle uuid := uuidv7();
    v_episode uuid;
    v_opened jsonb := '[]';
    v_one jsonb;
BEGIN
    SELECT array_agg(episode.id ORDER BY episode.number),
           sum(coalesce(p_prices[episode.number], p_price_after)), min(series.access_mode)
    INTO v_episodes, v_price, v_access
    FROM catalog_episode episode JOIN catalog_series series ON series.id = episode.series_id
    WHERE series.id = p_series AND series.numbering = p_numbering AND series.state = 'published'
      AND episode.state = 'published' AND episode.number = ANY(p_numbers);
    IF v_episodes IS NULL OR cardinality(v_episodes) <> cardinality(p_numbers) THEN
        RETURN jsonb_build_object('outcome', 'quote_outdated');
    END IF;

    SELECT * INTO v_wallet FROM payments_wallet
    WHERE viewer_id = p_viewer AND environment = p_environment FOR UPDATE;

    SELECT coalesce(sum(remaining_coins) FILTER (WHERE kind = 'paid'), 0),
           coalesce(sum(remaining_coins) FILTER (WHERE kind = 'bonus'), 0)
    INTO v_paid, v_bonus
    FROM payments_lot
    WHERE wallet_id = v_wallet.id AND remaining_coins > 0
      AND (expires_at IS NULL OR expires_at > p_now);
    SELECT count(*) INTO v_owned FROM payments_entitlement
    WHERE viewer_id = p_viewer AND environment = p_environment AND episode_id = ANY(v_episodes)
      AND closed_at IS NULL AND (ends_at IS NULL OR ends_at > p_now);
    IF v_owned = cardinality(v_episodes) THEN
        RETURN jsonb_build_object(
            'outcome', 'already_unlocked',
            'balance_paid_coins', v_paid, 'balance_bonus_coins', v_bonus);
    END IF;
    IF v_wallet.covered_until > p_now AND EXISTS (
        SELECT FROM payments_cover
        WHERE viewer_id = p_viewer AND environment = p_environment AND closed_at IS NULL
          AND starts_at <= p_now AND ends_at > p_now
    ) THEN
        FOREACH v_episode IN ARRAY v_episodes LOOP
            CONTINUE WHEN payments_live_entitlement(
                p_viewer, p_environment, v_episode, p_now) IS NOT NULL;
            PERFORM payments_open_under_cover(v_wallet, p_series, v_episode, p_now);
        END LOOP;
        RETURN jsonb_build_object(
            'outcome', 'covered',
            'balance_paid_coins', v_paid, 'balance_bonus_coins', v_bonus);
    END IF;
    IF v_access = 'ad' THEN
        RETURN jsonb_build_object('outcome', 'episode_ads_only');
    END IF;
    IF v_owned > 0 THEN
        RETURN jsonb_build_object('outcome', 'quote_outdated');
    END IF;
    IF v_wallet.held_at IS NOT NULL THEN
        RETURN jsonb_build_object('outcome', 'wallet_on_hold');
    END IF;
    IF v_paid + v_bonus < v_price THEN
        RETURN jsonb_build_object(
            'outcome', 'insufficient_coins', 'price_coins', v_price,
            'balance_coins', v_paid + v_bonus, 'shortfall_coins', v_price - v_paid - v_bonus);
    END IF;
    v_spent := CASE WHEN v_wallet.spent_on >= p_day THEN v_wallet.spent_coins ELSE 0 END;
    IF v_spent + v_price > p_allowed_coins THEN
        RETURN jsonb_build_object(
            'outcome', 'spend_confirmation_needed', 'price_coins', v_price,
            'spent_today_coins', v_spent);
    END IF;

    FOREACH v_episode IN ARRAY v_episodes LOOP
        v_one := payments_spend_on_episode(
            p_viewer, p_environment, v_episode, p_series, p_numbering, p_price_version,
            p_adjustments, p_prices, p_price_after, p_arm, p_quote_expires_at, p_playback_session,
            p_position_ms, NULL, v_bundle, NULL, NULL, p_day, NULL, p_now);
        -- Withdrawn at this very moment: what was opened before it is undone with the statement.
        IF v_one ->> 'outcome' <> 'unlocked' THEN
            RAISE EXCEPTION 'episode % of a bundle ended as %', v_episode, v_one ->> 'outcome'
                USING ERRCODE = 'serialization_failure';
        END IF;
        v_opened := v_opened || jsonb_build_object(
            'episode_id', v_episode, 'number', v_one -> 'number', 'unlock_id', v_one -> 'unlock_id',
            'entitlement_id', v_one -> 'entitlement_id', 'price_coins', v_one -> 'price_coins');
    END LOOP;
    RETURN jsonb_build_object(
        'outcome', 'unlocked', 'bundle_id', v_bundle, 'price_coins', v_price,
        'paid_coins', v_paid - (v_one ->> 'balance_paid_coins')::bigint,
        'bonus_coins', v_bonus - (v_one ->> 'balance_bonus_coins')::bigint,
        'balance_paid_coins', v_one -> 'balance_paid_coins',
        'balance_bonus_coins', v_one -> 'balance_bonus_coins', 'episodes', v_opened);
END $$;

CREATE OR REPLACE FUNCTION payments_unlock_bundle(
    p_viewer uuid, p_environment text, p_series uuid, p_numbering integer, p_numbers integer[],
    p_price_version uuid, p_adjustments uuid[], p_prices integer[], p_price_after integer, p_arm text,
    p_quote_expires_at timestamptz, p_playback_session uuid, p_position_ms integer,
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
    outcome := payments_spend_on_bundle(
        p_viewer, p_environment, p_series, p_numbering, p_numbers, p_price_version, p_adjustments,
        p_prices, p_price_after, p_arm, p_quote_expires_at, p_playback_session, p_position_ms,
        p_day, p_allowed_coins, p_now);
    IF p_key IS NOT NULL THEN
        PERFORM payments_end_unlock_key(p_viewer, p_key, outcome);
    END IF;
END $$;

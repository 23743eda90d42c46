-- What is given away: coins as rewards, and operators' grants with their limits.

-- Credits bonus coins that nobody paid for; returns the transfer.
--
-- What the viewer owes is repaid first, and only the rest becomes a lot. p_value is what a rewarded ad
-- had earned with them, for the account of the titles that they are spent on; 0 for all else.
-- (p_code, p_reference) is the natural key: the same again is refused by the unique index.
CREATE FUNCTION payments_give_coins(
    p_viewer uuid, p_environment text, p_code text, p_reference text, p_coins bigint,
    p_value bigint, p_expires_at timestamptz, p_now timestamptz
) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    v_wallet uuid := payments_lock_wallet(p_viewer, p_environment, p_now);
    v_transfer uuid := uuidv7();
    v_repaid bigint;
    v_kept bigint;
    v_kept_value bigint;
BEGIN
    SELECT least(p_coins, -debt_coins) INTO STRICT v_repaid FROM payments_wallet
    WHERE id = v_wallet;
    v_kept := p_coins - v_repaid;
    v_kept_value := div(p_value::numeric * v_kept, p_coins::numeric)::bigint;
    PERFORM payments_post(
        v_transfer, p_viewer, v_wallet, p_environment, p_code, p_reference,
        ARRAY['bonus', 'debt', p_code || 's'], ARRAY[v_kept, v_repaid, -p_coins], p_now, p_now);
    INSERT INTO payments_lot
        (id, wallet_id, environment, kind, origin, transfer_id, granted_coins, remaining_coins,
         value_micros, remaining_value_micros, granted_at, expires_at)
    SELECT uuidv7(), v_wallet, p_environment, 'bonus', p_code, v_transfer, v_kept, v_kept,
           v_kept_value, v_kept_value, p_now, p_expires_at
    WHERE v_kept > 0;
    RETURN v_transfer;
END $$;

-- An operator asks to give something to a viewer; what one person may give is given at once.
--
-- p_grant is made by the form: the same again is answered, not given. Returns {"outcome": "given" |
-- "waiting" | "over_maximum" | "over_daily_limit" | "already_open" | "repeated"}; a refusal leaves no
-- row. What one person gives alone is limited by the day, and the day's sum is read under a lock of the
-- operator's own.
CREATE FUNCTION payments_ask_grant(
    p_grant uuid, p_viewer uuid, p_environment text, p_kind text, p_coins bigint,
    p_coins_expire_at timestamptz, p_episode uuid, p_pass_days integer, p_worth bigint,
    p_reason text, p_note text, p_operator integer, p_solo_coins bigint, p_maximum_coins bigint,
    p_daily_coins bigint, p_day_starts_at timestamptz, p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_asked bigint;
BEGIN
    IF num_nulls(p_worth, p_solo_coins, p_maximum_coins, p_daily_coins, p_day_starts_at) > 0 THEN
        RAISE EXCEPTION 'a grant needs its worth and its limits'
            USING ERRCODE = 'null_value_not_allowed';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('payments grants of operator', p_operator));
    IF EXISTS (SELECT FROM payments_grant WHERE id = p_grant) THEN
        RETURN jsonb_build_object('outcome', 'repeated');
    END IF;
    IF p_worth > p_maximum_coins THEN
        RETURN jsonb_build_object('outcome', 'over_maximum');
    END IF;
    SELECT coalesce(sum(worth_coins), 0) INTO v_asked FROM payments_grant
    WHERE asked_by_id = p_operator AND asked_at >= p_day_starts_at AND state <> 'refused'
      AND NOT needs_second;
    IF p_worth <= p_solo_coins AND v_asked + p_worth > p_daily_coins THEN
        RETURN jsonb_build_object(
            'outcome', 'over_daily_limit', 'left_coins', greatest(p_daily_coins - v_asked, 0));
    END IF;
    IF payments_live_entitlement(p_viewer, p_environment, p_episode, p_now) IS NOT NULL THEN
        RETURN jsonb_build_object('outcome', 'already_open');
    END IF;

    INSERT INTO payments_grant
        (id, viewer_id, environment, kind, coins, coins_expire_at, episode_id, pass_days,
         worth_coins, needs_second, reason, note, state, asked_by_id, asked_at, decision_note)
    VALUES (p_grant, p_viewer, p_environment, p_kind, p_coins, p_coins_expire_at, p_episode,
            p_pass_days, p_worth, p_worth > p_solo_coins, p_reason, p_note, 'waiting', p_operator,
            p_now, '');
    IF p_worth > p_solo_coins THEN
        RETURN jsonb_build_object('outcome', 'waiting');
    END IF;
    RETURN payments_carry_out_grant(p_grant, p_operator, '', p_now);
END $$;

-- A second person decides. Returns {"outcome": "given" | "refused" | "already_open" |
-- "decided_before" | "same_person"}; whoever asked may refuse, which withdraws it.
CREATE FUNCTION payments_decide_grant(
    p_grant uuid, p_operator integer, p_is_approved boolean, p_note text, p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_grant payments_grant;
BEGIN
    SELECT * INTO STRICT v_grant FROM payments_grant WHERE id = p_grant FOR UPDATE;
    IF v_grant.state <> 'waiting' THEN
        RETURN jsonb_build_object('outcome', 'decided_before');
    END IF;
    IF p_is_approved AND v_grant.asked_by_id = p_operator THEN
        RETURN jsonb_build_object('outcome', 'same_person');
    END IF;
    IF p_is_approved THEN
        RETURN payments_carry_out_grant(p_grant, p_operator, p_note, p_now);
    END IF;
    UPDATE payments_grant SET state = 'refused', decided_by_id = p_operator, decided_at = p_now,
        decision_note = p_note
    WHERE id = p_grant;
    RETURN jsonb_build_object('outcome', 'refused');
END $$;

-- Gives what a waiting grant says; an episode that was opened in the meantime is refused.
CREATE FUNCTION payments_carry_out_grant(
    p_grant uuid, p_operator integer, p_note text, p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    v_grant payments_grant;
    v_state text := 'given';
    v_transfer uuid;
    v_entitlement uuid;
    v_cover uuid;
    v_covered_until timestamptz;
BEGIN
    SELECT * INTO STRICT v_grant FROM payments_grant WHERE id = p_grant;
    PERFORM payments_lock_wallet(v_grant.viewer_id, v_grant.environment, p_now);
    IF v_grant.kind = 'coins' THEN
        v_transfer := payments_give_coins(
            v_grant.viewer_id, v_grant.environment, 'grant', p_grant::text, v_grant.coins, 0,
            v_grant.coins_expire_at, p_now);
    ELSIF v_grant.kind = 'pass' THEN
        -- A pass begins where the cover that is there ends.
        SELECT greatest(covered_until, p_now) INTO STRICT v_covered_until FROM payments_wallet
        WHERE viewer_id = v_grant.viewer_id AND environment = v_grant.environment;
        v_cover := payments_give_cover(
            v_grant.viewer_id, v_grant.environment, 'grant', p_grant::text, v_covered_until,
            v_covered_until + make_interval(days => v_grant.pass_days), p_now);
    ELSIF payments_live_entitlement(
        v_grant.viewer_id, v_grant.environment, v_grant.episode_id, p_now) IS NOT NULL THEN
        v_state := 'refused';
    ELSE
        v_entitlement := payments_open_episode(
            v_grant.viewer_id, v_grant.environment,
            (SELECT series_id FROM catalog_episode WHERE id = v_grant.episode_id),
            v_grant.episode_id, 'grant', NULL, p_now);
    END IF;
    UPDATE payments_grant SET
        state = v_state, decided_by_id = p_operator, decided_at = p_now, decision_note = p_note,
        transfer_id = v_transfer, entitlement_id = v_entitlement, cover_id = v_cover
    WHERE id = p_grant;
    RETURN jsonb_build_object(
        'outcome', CASE v_state WHEN 'given' THEN 'given' ELSE 'already_open' END);
END $$;

-- Takes back what is left of a grant: unspent coins, the episode, the rest of a pass. Returns
-- {"outcome": "revoked" | "not_given", "coins": how many came back}.
CREATE FUNCTION payments_revoke_grant(p_grant uuid, p_operator integer, p_now timestamptz)
RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_grant payments_grant;
    v_wallet uuid;
    v_lot payments_lot;
    v_transfer uuid;
BEGIN
    SELECT * INTO STRICT v_grant FROM payments_grant WHERE id = p_grant FOR UPDATE;
    IF v_grant.state <> 'given' THEN
        RETURN jsonb_build_object('outcome', 'not_given');
    END IF;
    v_wallet := payments_lock_wallet(v_grant.viewer_id, v_grant.environment, p_now);
    SELECT * INTO v_lot FROM payments_lot
    WHERE transfer_id = v_grant.transfer_id AND remaining_coins > 0;
    IF v_lot.id IS NOT NULL THEN
        v_transfer := uuidv7();
        PERFORM payments_post(
            v_transfer, v_grant.viewer_id, v_wallet, v_grant.environment, 'grant_reversal',
            p_grant::text, ARRAY['bonus', 'grants'],
            ARRAY[-v_lot.remaining_coins, v_lot.remaining_coins], p_now, p_now);
        PERFORM payments_take_from_lot(v_lot.id, v_lot.remaining_coins, v_transfer, p_now);
    END IF;
    -- Coins of it that are spent and come back later lapse at once.
    UPDATE payments_lot SET expires_at = least(expires_at, p_now + interval '1 microsecond')
    WHERE transfer_id = v_grant.transfer_id;
    UPDATE payments_entitlement SET closed_at = p_now
    WHERE id = v_grant.entitlement_id AND closed_at IS NULL;
    IF v_grant.cover_id IS NOT NULL THEN
        PERFORM payments_close_cover(v_grant.cover_id, p_now);
    END IF;
    UPDATE payments_grant SET
        state = 'revoked', revoked_by_id = p_operator, revoked_at = p_now,
        revocation_id = v_transfer
    WHERE id = p_grant;
    RETURN jsonb_build_object('outcome', 'revoked', 'coins', coalesce(v_lot.remaining_coins, 0));
END $$;

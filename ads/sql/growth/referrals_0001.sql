-- Referrals: who brought whom, decided once, and paid after a while.

-- Everybody whom a viewer brought, and whom those brought, and so on, with how each referral stands.
CREATE FUNCTION ads_brought_by(p_viewer uuid, p_environment text)
RETURNS TABLE (viewer_id uuid, state text, closed_at timestamptz)
LANGUAGE sql STABLE AS $$
    WITH RECURSIVE brought AS (
        SELECT invitee_id, state, closed_at FROM ads_referral
        WHERE referrer_id = p_viewer AND environment = p_environment
        UNION
        SELECT next.invitee_id, next.state, next.closed_at
        FROM brought JOIN ads_referral next ON next.referrer_id = brought.invitee_id
        WHERE next.environment = p_environment
    )
    SELECT invitee_id, state, closed_at FROM brought
$$;

-- Whom a viewer's family begins with: the referrer's referrer, and so on. Nobody has brought whoever brought
-- them: `ads_bind_referral` lets nobody close a circle.
CREATE FUNCTION ads_head_of_family(p_viewer uuid, p_environment text) RETURNS uuid
LANGUAGE sql STABLE AS $$
    WITH RECURSIVE line AS (
        SELECT p_viewer AS viewer_id, 0 AS depth
        UNION ALL
        SELECT referral.referrer_id, line.depth + 1
        FROM line JOIN ads_referral referral ON referral.invitee_id = line.viewer_id
        WHERE referral.environment = p_environment
    )
    SELECT viewer_id FROM line ORDER BY depth DESC LIMIT 1
$$;

-- Whether p_per_family of all whom the heads of families brought are paid, or, where p_with_pending, wait to be;
-- but for those that were paid before p_since. Reads no further than that many.
CREATE FUNCTION ads_is_family_full(
    p_heads uuid[], p_environment text, p_with_pending boolean, p_per_family integer,
    p_since timestamptz
) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT count(*) >= p_per_family
    FROM (
        SELECT FROM unnest(p_heads) AS head, ads_brought_by(head, p_environment) AS family
        WHERE (p_with_pending AND family.state = 'pending')
           OR (family.state = 'vested' AND family.closed_at >= p_since)
        LIMIT p_per_family
    ) AS counted
$$;

-- A viewer says by whose code they came.
--
-- p_came_after is the earliest moment at which they may have come. p_per_referrer and p_per_day are the most
-- referrals of one referrer, and of one since p_day_starts_at; p_per_family is the most of all who brought
-- each other, but for those that were paid before p_family_since. What is too much is kept and voided at
-- once: who is related to whom is known then, and whoever tries out limits is not told where they are.
--
-- Returns {"outcome": "bound" | "repeated", "referral_id", "due_at"}, or with nothing written {"outcome":
-- "unknown" | "bound_to_another" | "too_late" | "related"}. Related are a viewer to themselves, to all who
-- use one of their devices, and to those whom they brought.
--
-- One at a time: a family's size has to be read by one before another adds to it.
CREATE FUNCTION ads_bind_referral(
    p_viewer uuid, p_environment text, p_code text, p_came_after timestamptz,
    p_due_at timestamptz, p_per_referrer integer, p_per_day integer, p_per_family integer,
    p_day_starts_at timestamptz, p_family_since timestamptz, p_limits jsonb, p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_referrer uuid;
    v_head uuid;
    v_referral ads_referral;
    v_is_too_much boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('ads referrals ' || p_environment, 0));
    SELECT invite.viewer_id INTO v_referrer
    FROM ads_invite invite JOIN viewers_viewer viewer ON viewer.id = invite.viewer_id
    WHERE invite.code = p_code AND invite.environment = p_environment
      AND viewer.erased_at IS NULL;
    SELECT * INTO v_referral FROM ads_referral
    WHERE invitee_id = p_viewer AND environment = p_environment;
    IF v_referral.id IS NOT NULL THEN
        RETURN jsonb_build_object(
            'outcome', CASE WHEN v_referral.referrer_id = v_referrer THEN 'repeated'
                            ELSE 'bound_to_another' END,
            'referral_id', v_referral.id, 'due_at', v_referral.due_at);
    END IF;
    IF v_referrer IS NULL THEN
        RETURN jsonb_build_object('outcome', 'unknown');
    END IF;
    v_head := ads_head_of_family(v_referrer, p_environment);
    IF v_head = p_viewer OR v_referrer = p_viewer OR EXISTS (
        SELECT FROM viewers_device mine JOIN viewers_device theirs USING (install_id)
        WHERE mine.viewer_id = p_viewer AND theirs.viewer_id = v_referrer
    ) THEN
        RETURN jsonb_build_object('outcome', 'related');
    END IF;
    IF NOT EXISTS (
        SELECT FROM viewers_viewer WHERE id = p_viewer AND created_at > p_came_after
    ) THEN
        RETURN jsonb_build_object('outcome', 'too_late');
    END IF;
    v_is_too_much := EXISTS (
        SELECT FROM ads_referral
        WHERE referrer_id = v_referrer AND environment = p_environment AND state <> 'voided'
        HAVING count(*) >= p_per_referrer
            OR count(*) FILTER (WHERE bound_at >= p_day_starts_at) >= p_per_day
    ) OR ads_is_family_full(
        ARRAY[v_head, p_viewer], p_environment, true, p_per_family, p_family_since
    ) OR ads_reached_limit(p_environment, p_limits) IS NOT NULL;
    INSERT INTO ads_referral
        (id, referrer_id, invitee_id, environment, state, void_reason, bound_at, due_at, closed_at)
    VALUES (uuidv7(), v_referrer, p_viewer, p_environment,
            CASE WHEN v_is_too_much THEN 'voided' ELSE 'pending' END,
            CASE WHEN v_is_too_much THEN 'limit' ELSE '' END,
            p_now, p_due_at, CASE WHEN v_is_too_much THEN p_now END)
    RETURNING * INTO STRICT v_referral;
    IF NOT v_is_too_much THEN
        PERFORM ads_count_limits(p_environment, p_limits);
    END IF;
    RETURN jsonb_build_object(
        'outcome', 'bound', 'referral_id', v_referral.id, 'due_at', v_referral.due_at);
END $$;

-- Whether money of a viewer's purchases has gone back, and stays there.
CREATE FUNCTION ads_had_money_back(p_viewer uuid, p_environment text) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM payments_refundbooking booking
        JOIN payments_purchase purchase ON purchase.id = booking.purchase_id
        WHERE purchase.viewer_id = p_viewer AND purchase.environment = p_environment
          AND booking.undoes_id IS NULL AND NOT EXISTS (
              SELECT FROM payments_refundbooking undoing WHERE undoing.undoes_id = booking.id)
    ) OR EXISTS (
        SELECT FROM payments_passrefundbooking booking
        JOIN payments_passpurchase purchase ON purchase.id = booking.purchase_id
        WHERE purchase.viewer_id = p_viewer AND purchase.environment = p_environment
          AND booking.undoes_id IS NULL AND NOT EXISTS (
              SELECT FROM payments_passrefundbooking undoing WHERE undoing.undoes_id = booking.id)
    )
$$;

-- Pays a referral that is due, or finds that it is not to be paid.
--
-- Returns "vested"; "voided"; "waiting", to be looked at again at p_again_at, where the invited viewer has
-- not proven to be one yet and had been bound after p_idle_before; or "settled" where there was nothing to
-- do. A family that has grown together since is paid p_per_family times since p_family_since, and no more.
-- Lock order: referrals, referral, wallet.
CREATE FUNCTION ads_vest_referral(
    p_referral uuid, p_coins bigint, p_coins_expire_at timestamptz, p_seconds bigint,
    p_idle_before timestamptz, p_again_at timestamptz, p_per_family integer,
    p_family_since timestamptz, p_now timestamptz
) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_referral ads_referral;
    v_reason text := '';
BEGIN
    SELECT * INTO v_referral FROM ads_referral WHERE id = p_referral;
    PERFORM pg_advisory_xact_lock(
        hashtextextended('ads referrals ' || v_referral.environment, 0));
    SELECT * INTO v_referral FROM ads_referral
    WHERE id = p_referral AND state = 'pending' AND due_at <= p_now FOR UPDATE SKIP LOCKED;
    IF v_referral.id IS NULL THEN
        RETURN 'settled';
    END IF;
    PERFORM payments_lock_wallet(v_referral.referrer_id, v_referral.environment, p_now);
    IF EXISTS (
        SELECT FROM viewers_viewer
        WHERE id IN (v_referral.referrer_id, v_referral.invitee_id) AND erased_at IS NOT NULL
    ) THEN
        v_reason := 'erased';
    ELSIF ads_had_money_back(v_referral.invitee_id, v_referral.environment) THEN
        v_reason := 'refunded';
    ELSIF NOT ads_is_proven(v_referral.invitee_id, v_referral.environment, p_seconds) THEN
        IF v_referral.bound_at > p_idle_before THEN
            UPDATE ads_referral SET due_at = p_again_at WHERE id = p_referral;
            RETURN 'waiting';
        END IF;
        v_reason := 'idle';
    ELSIF ads_is_family_full(
        ARRAY[ads_head_of_family(v_referral.referrer_id, v_referral.environment)],
        v_referral.environment, false, p_per_family, p_family_since
    ) THEN
        v_reason := 'limit';
    END IF;
    IF v_reason <> '' THEN
        PERFORM ads_void_referral(p_referral, v_reason, p_now);
        RETURN 'voided';
    END IF;
    UPDATE ads_referral SET
        state = 'vested', closed_at = p_now,
        transfer_id = payments_give_coins(
            referrer_id, environment, 'reward', 'referral:' || id, p_coins, 0, p_coins_expire_at,
            p_now)
    WHERE id = p_referral;
    RETURN 'vested';
END $$;

-- Closes a referral that has not been paid; whether it was open.
CREATE FUNCTION ads_void_referral(p_referral uuid, p_reason text, p_now timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE ads_referral SET state = 'voided', void_reason = p_reason, closed_at = p_now
    WHERE id = p_referral AND state = 'pending';
    RETURN FOUND;
END $$;

-- An operator pays a parked callback after all, by the function that pays every other.
--
-- p_session is the session to pay where the callback names none of ours. Returns {"outcome": "settled"}, or
-- with nothing written {"outcome": "resolved_before" | "session_unknown" | "other_network" |
-- "session_used" | "already_open" | "over_cap"}: it stays parked, and may be tried again.
--
-- Lock order: callback, session, wallet, as where a callback is settled.
CREATE FUNCTION ads_settle_parked(
    p_callback uuid, p_session uuid, p_reason text, p_operator integer, p_day date,
    p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_callback ads_callback;
    v_session ads_adsession;
    v_verdict text;
BEGIN
    SELECT * INTO STRICT v_callback FROM ads_callback WHERE id = p_callback FOR UPDATE;
    IF NOT v_callback.is_parked THEN
        RETURN jsonb_build_object('outcome', 'resolved_before');
    END IF;
    SELECT * INTO v_session FROM ads_adsession
    WHERE id = coalesce(v_callback.session_id, p_session) FOR UPDATE;
    IF v_session.id IS NULL THEN
        RETURN jsonb_build_object('outcome', 'session_unknown');
    END IF;
    IF v_session.network <> v_callback.network THEN
        RETURN jsonb_build_object('outcome', 'other_network');
    END IF;
    IF v_session.closed_at IS NOT NULL THEN
        RETURN jsonb_build_object('outcome', 'session_used');
    END IF;
    v_verdict := ads_reward_session(
        v_session, v_callback.transaction_id, v_session.expires_at <= p_now, p_day, p_now);
    IF v_verdict <> 'paid' THEN
        RETURN jsonb_build_object('outcome', v_verdict);
    END IF;
    UPDATE ads_callback SET is_parked = false, session_id = v_session.id WHERE id = p_callback;
    INSERT INTO ads_resolution
        (id, callback_id, kind, reason, resolved_by_id, resolved_at, reward_id)
    SELECT uuidv7(), p_callback, 'settled', p_reason, p_operator, p_now, id
    FROM ads_reward WHERE session_id = v_session.id;
    RETURN jsonb_build_object('outcome', 'settled');
END $$;

-- An operator has looked at a parked callback and pays nothing. Returns {"outcome": "dismissed" |
-- "resolved_before"}.
CREATE FUNCTION ads_dismiss_parked(
    p_callback uuid, p_reason text, p_operator integer, p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE ads_callback SET is_parked = false WHERE id = p_callback AND is_parked;
    IF NOT FOUND THEN
        RETURN jsonb_build_object('outcome', 'resolved_before');
    END IF;
    INSERT INTO ads_resolution (id, callback_id, kind, reason, resolved_by_id, resolved_at)
    VALUES (uuidv7(), p_callback, 'dismissed', p_reason, p_operator, p_now);
    RETURN jsonb_build_object('outcome', 'dismissed');
END $$;

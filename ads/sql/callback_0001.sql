-- Keeps a verified callback and settles it: one call, one transaction, whatever the verdict.
--
-- p_session and p_viewer are the ids that the callback carries, NULL where it carries none of ours;
-- p_ad_unit is the ad unit as the network names it; p_day is the day of p_now in the reporting zone.
-- Returns {"verdict": ..., "first": ...}, where `first` is the verdict of the transaction's first
-- callback. Amounts in callbacks are not among the arguments: what is granted is the placement's.
--
-- The network's signature says that the network sent it, not for whom: a stranger's ad unit may name
-- our address, one of our sessions and our viewer. So the ad unit must be the session's own, and no
-- verdict of such a callback closes the session.
--
-- Lock order: callback, session, wallet. Everything that gates the grant is read after the wallet is
-- locked.
CREATE FUNCTION ads_settle_callback(
    p_network text, p_transaction_id text, p_raw bytea, p_session uuid, p_viewer uuid,
    p_ad_unit text, p_day date, p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_callback uuid := uuidv7();
    v_session ads_adsession;
    v_verdict text;
BEGIN
    -- The second with the same transaction id, whatever it says, waits here for the first.
    INSERT INTO ads_callback
        (id, network, transaction_id, verdict, detail, raw_query, replay_count, received_at)
    VALUES (v_callback, p_network, p_transaction_id, 'paid', '', p_raw, 0, p_now)
    ON CONFLICT (network, transaction_id) DO NOTHING;
    IF NOT FOUND THEN
        UPDATE ads_callback SET replay_count = replay_count + 1, last_replayed_at = p_now
        WHERE network = p_network AND transaction_id = p_transaction_id
        RETURNING verdict INTO STRICT v_verdict;
        RETURN jsonb_build_object('verdict', 'replayed', 'first', v_verdict);
    END IF;

    SELECT * INTO v_session FROM ads_adsession WHERE id = p_session FOR UPDATE;
    IF v_session.id IS NULL THEN
        v_verdict := 'orphan';
    ELSIF v_session.network <> p_network
        OR split_part(v_session.ad_unit_id, '/', -1) <> p_ad_unit THEN
        v_verdict := 'other_placement';
    ELSIF p_viewer IS DISTINCT FROM v_session.viewer_id THEN
        v_verdict := 'other_viewer';
    ELSIF v_session.closed_at IS NOT NULL THEN
        v_verdict := 'session_used';
    ELSIF v_session.expires_at <= p_now THEN
        v_verdict := 'expired';
    ELSE
        v_verdict := ads_reward_session(v_session, p_transaction_id, p_day, p_now);
    END IF;

    UPDATE ads_callback SET verdict = v_verdict, session_id = v_session.id WHERE id = v_callback;
    RETURN jsonb_build_object('verdict', v_verdict, 'first', v_verdict);
END $$;

-- Opens the episode of a session that the caller has locked, if the viewer still lacks it and the cap
-- leaves room; closes the session either way and returns the verdict.
CREATE FUNCTION ads_reward_session(
    p_session ads_adsession, p_transaction_id text, p_day date, p_now timestamptz
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    v_placement ads_placement;
    v_rewarded bigint;
    v_refusal text := '';
BEGIN
    PERFORM payments_lock_wallet(p_session.viewer_id, p_session.environment, p_now);
    SELECT * INTO STRICT v_placement FROM ads_placement WHERE id = p_session.placement_id;
    SELECT count(*) INTO v_rewarded FROM ads_reward
    WHERE viewer_id = p_session.viewer_id AND environment = p_session.environment
      AND placement_id = p_session.placement_id AND day = p_day;

    IF payments_live_entitlement(
        p_session.viewer_id, p_session.environment, p_session.episode_id, p_now) IS NOT NULL THEN
        v_refusal := 'already_open';
    ELSIF v_rewarded >= v_placement.daily_cap THEN
        v_refusal := 'over_cap';
    ELSE
        INSERT INTO ads_reward
            (id, session_id, network, transaction_id, viewer_id, environment, placement_id,
             series_id, episode_id, entitlement_id, revenue_micros, day, number, daily_cap,
             created_at)
        VALUES
            (uuidv7(), p_session.id, p_session.network, p_transaction_id, p_session.viewer_id,
             p_session.environment, p_session.placement_id, p_session.series_id,
             p_session.episode_id,
             payments_open_episode(
                 p_session.viewer_id, p_session.environment, p_session.series_id,
                 p_session.episode_id, 'ad', NULL, p_now),
             v_placement.estimated_net_micros, p_day, v_rewarded + 1, v_placement.daily_cap, p_now);
    END IF;
    UPDATE ads_adsession SET
        closed_at = p_now,
        rewarded_at = CASE WHEN v_refusal = '' THEN p_now END,
        refusal = v_refusal
    WHERE id = p_session.id;
    RETURN coalesce(nullif(v_refusal, ''), 'paid');
END $$;

-- Keeps a callback that was not settled, a probe or one that is refused, for an operator to see.
-- Anybody can send those: of each verdict p_limit an hour are kept, and false says that this was not.
CREATE FUNCTION ads_keep_callback(
    p_network text, p_verdict text, p_detail text, p_raw bytea, p_limit integer, p_now timestamptz
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF p_verdict NOT IN ('probe', 'refused') OR EXISTS (
        SELECT FROM ads_callback
        WHERE verdict = p_verdict AND received_at > p_now - interval '1 hour'
        OFFSET greatest(p_limit, 1) - 1 LIMIT 1
    ) THEN
        RETURN false;
    END IF;
    INSERT INTO ads_callback
        (id, network, verdict, detail, raw_query, replay_count, received_at)
    VALUES (uuidv7(), p_network, p_verdict, left(p_detail, 200), p_raw, 0, p_now);
    RETURN true;
END $$;

-- Opens the episode of a session that the caller has locked, if the viewer still lacks it and the cap
-- leaves room; closes the session either way and returns the verdict. A network that calls nobody pays a
-- viewer three times a day over all of its placements, or less where the placement's cap says so.
CREATE OR REPLACE FUNCTION ads_reward_session(
    p_session ads_adsession, p_transaction_id text, p_day date, p_now timestamptz
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    v_placement ads_placement;
    v_rewarded bigint;
    v_believed bigint := 0;
    v_refusal text := '';
BEGIN
    PERFORM payments_lock_wallet(p_session.viewer_id, p_session.environment, p_now);
    SELECT * INTO STRICT v_placement FROM ads_placement WHERE id = p_session.placement_id;
    SELECT count(*) INTO v_rewarded FROM ads_reward
    WHERE viewer_id = p_session.viewer_id AND environment = p_session.environment
      AND placement_id = p_session.placement_id AND day = p_day;
    IF ads_is_believed(p_session.network) THEN
        SELECT count(*) INTO v_believed FROM ads_reward
        WHERE viewer_id = p_session.viewer_id AND environment = p_session.environment
          AND network = p_session.network AND day = p_day;
    END IF;

    IF payments_live_entitlement(
        p_session.viewer_id, p_session.environment, p_session.episode_id, p_now) IS NOT NULL THEN
        v_refusal := 'already_open';
    ELSIF v_rewarded >= v_placement.daily_cap
        OR v_believed >= least(v_placement.daily_cap, 3) THEN
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

-- Whether a network calls nobody, so that the app is believed: `ads.models.placements.PROVISIONAL`.
CREATE FUNCTION ads_is_believed(p_network text) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$ SELECT p_network = 'douyin' $$;

-- Opens an ad session, or answers the open one that the viewer has for the same episode. One for an
-- episode at a time: while there is one at another placement, a second could not pay once the first has.
--
-- The caller has found the placement active and the episode published and not free; p_day is the day
-- of p_now in the reporting zone. Returns {"outcome": "opened" | "resumed", "session_id", "expires_at"},
-- or, with no session written, {"outcome": "elsewhere", "placement", "expires_at"} with the other
-- placement's code or {"outcome": "already_open" | "cap_reached" | "cooling_down"}.
--
-- Everything is read under the wallet's lock, which settling a callback holds too. An open session
-- takes a place of the cap as a reward does: nobody watches an ad that could not pay. It begins the
-- cooldown, too, or a viewer could open as many at once as the cap allows. Where a network calls nobody
-- and the app is believed, what a viewer had of its other placements counts as well, in cap and cooldown:
-- or as many placements would be as many times three episodes for nothing.
CREATE OR REPLACE FUNCTION ads_open_session(
    p_viewer uuid, p_environment text, p_placement uuid, p_series uuid, p_episode uuid,
    p_playback_session uuid, p_position_ms integer, p_day date, p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_placement ads_placement;
    v_session uuid;
    v_elsewhere record;
    v_expires_at timestamptz;
    v_taken bigint;
    v_latest timestamptz;
BEGIN
    PERFORM payments_lock_wallet(p_viewer, p_environment, p_now);
    SELECT * INTO STRICT v_placement FROM ads_placement WHERE id = p_placement;
    v_expires_at := p_now + make_interval(secs => v_placement.session_seconds);

    IF payments_live_entitlement(p_viewer, p_environment, p_episode, p_now) IS NOT NULL THEN
        RETURN jsonb_build_object('outcome', 'already_open');
    END IF;

    SELECT id INTO v_session FROM ads_adsession
    WHERE viewer_id = p_viewer AND environment = p_environment AND placement_id = p_placement
      AND closed_at IS NULL AND expires_at > p_now AND episode_id = p_episode
      AND network = v_placement.network AND ad_unit_id = v_placement.ad_unit_id
    ORDER BY id DESC LIMIT 1;
    IF v_session IS NOT NULL THEN
        -- A callback that is being settled holds the session and waits for our wallet: it will be
        -- rewarded, and its time does not matter any more.
        UPDATE ads_adsession SET
            expires_at = greatest(expires_at, v_expires_at),
            playback_session_id = coalesce(p_playback_session, playback_session_id),
            position_ms = coalesce(p_position_ms, position_ms)
        WHERE id = (SELECT id FROM ads_adsession WHERE id = v_session FOR UPDATE SKIP LOCKED);
        SELECT expires_at INTO STRICT v_expires_at FROM ads_adsession WHERE id = v_session;
        RETURN jsonb_build_object(
            'outcome', 'resumed', 'session_id', v_session, 'expires_at', v_expires_at);
    END IF;

    SELECT placement.code, session.expires_at INTO v_elsewhere
    FROM ads_adsession session JOIN ads_placement placement ON placement.id = session.placement_id
    WHERE session.viewer_id = p_viewer AND session.environment = p_environment
      AND session.placement_id <> p_placement AND session.episode_id = p_episode
      AND session.closed_at IS NULL AND session.expires_at > p_now
    ORDER BY session.expires_at DESC LIMIT 1;
    IF FOUND THEN
        RETURN jsonb_build_object(
            'outcome', 'elsewhere', 'placement', v_elsewhere.code,
            'expires_at', v_elsewhere.expires_at);
    END IF;

    SELECT coalesce(sum(taken), 0), max(latest) INTO v_taken, v_latest
    FROM (
        SELECT count(*) FILTER (WHERE day = p_day) AS taken, max(created_at) AS latest
        FROM ads_reward
        WHERE viewer_id = p_viewer AND environment = p_environment
          AND placement_id = p_placement AND day >= p_day - 2
        UNION ALL
        SELECT count(*), max(opened_at) FROM ads_adsession
        WHERE viewer_id = p_viewer AND environment = p_environment
          AND placement_id = p_placement AND closed_at IS NULL AND expires_at > p_now
        UNION ALL
        SELECT count(*) FILTER (WHERE day = p_day), max(created_at)
        FROM ads_reward
        WHERE ads_is_believed(v_placement.network)
          AND viewer_id = p_viewer AND environment = p_environment
          AND placement_id <> p_placement AND network = v_placement.network AND day >= p_day - 2
        UNION ALL
        SELECT count(*), max(opened_at) FROM ads_adsession
        WHERE ads_is_believed(v_placement.network)
          AND viewer_id = p_viewer AND environment = p_environment
          AND placement_id <> p_placement AND network = v_placement.network
          AND closed_at IS NULL AND expires_at > p_now
    ) AS used;
    IF v_taken >= v_placement.daily_cap THEN
        RETURN jsonb_build_object('outcome', 'cap_reached');
    END IF;
    IF v_latest + make_interval(secs => v_placement.cooldown_seconds) > p_now THEN
        RETURN jsonb_build_object('outcome', 'cooling_down');
    END IF;

    v_session := uuidv7();
    INSERT INTO ads_adsession
        (id, viewer_id, environment, placement_id, network, ad_unit_id, series_id, episode_id,
         playback_session_id, position_ms, opened_at, expires_at, refusal)
    VALUES
        (v_session, p_viewer, p_environment, p_placement, v_placement.network,
         v_placement.ad_unit_id, p_series, p_episode, p_playback_session, p_position_ms, p_now,
         v_expires_at, '');
    RETURN jsonb_build_object(
        'outcome', 'opened', 'session_id', v_session, 'expires_at', v_expires_at);
END $$;

-- The terms that a viewer's next ad of a placement is watched on, for a title or for coins: those of the goal
-- that they have begun; else those of the first of their open sessions for the same, whose ad will begin one; else
-- the placement's.
CREATE FUNCTION ads_terms_of_next(
    p_viewer uuid, p_environment text, p_placement ads_placement, p_series uuid, p_now timestamptz,
    OUT reward_amount integer, OUT ads_needed integer, OUT coins_expire_after_days integer
)
LANGUAGE sql STABLE AS $$
    SELECT reward_amount, ads_needed, coins_expire_after_days
    FROM (
        SELECT 1 AS place, id, reward_amount, ads_needed, coins_expire_after_days
        FROM ads_goal
        WHERE viewer_id = p_viewer AND environment = p_environment
          AND placement_id = p_placement.id AND reward = p_placement.reward
          AND series_id IS NOT DISTINCT FROM p_series AND granted_at IS NULL
        UNION ALL
        SELECT 2, id, reward_amount, ads_needed, coins_expire_after_days
        FROM ads_adsession
        WHERE viewer_id = p_viewer AND environment = p_environment
          AND placement_id = p_placement.id AND reward = p_placement.reward
          AND series_id IS NOT DISTINCT FROM p_series
          AND closed_at IS NULL AND expires_at > p_now
        UNION ALL
        SELECT 3, p_placement.id, p_placement.reward_amount, p_placement.ads_needed,
               p_placement.coins_expire_after_days
    ) AS terms
    ORDER BY place, id LIMIT 1
$$;

-- What of a placement's cap a viewer has taken on p_day, by rewards and by open sessions, and when they
-- began the last ad. Where a network calls nobody, what they had of its other placements counts as well.
CREATE FUNCTION ads_taken_of_cap(
    p_viewer uuid, p_environment text, p_placement ads_placement, p_day date, p_now timestamptz,
    OUT taken bigint, OUT latest timestamptz
)
LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(used.taken), 0)::bigint, max(used.latest)
    FROM (
        SELECT count(*) FILTER (WHERE day = p_day) AS taken, max(created_at) AS latest
        FROM ads_reward
        WHERE viewer_id = p_viewer AND environment = p_environment
          AND placement_id = p_placement.id AND day >= p_day - 2
        UNION ALL
        SELECT count(*), max(opened_at) FROM ads_adsession
        WHERE viewer_id = p_viewer AND environment = p_environment
          AND placement_id = p_placement.id AND closed_at IS NULL AND expires_at > p_now
        UNION ALL
        SELECT count(*) FILTER (WHERE day = p_day), max(created_at)
        FROM ads_reward
        WHERE ads_is_believed(p_placement.network)
          AND viewer_id = p_viewer AND environment = p_environment
          AND placement_id <> p_placement.id AND network = p_placement.network AND day >= p_day - 2
        UNION ALL
        SELECT count(*), max(opened_at) FROM ads_adsession
        WHERE ads_is_believed(p_placement.network)
          AND viewer_id = p_viewer AND environment = p_environment
          AND placement_id <> p_placement.id AND network = p_placement.network
          AND closed_at IS NULL AND expires_at > p_now
    ) AS used
$$;

-- Lengthens an open session, of which the caller holds the wallet, and answers it.
CREATE FUNCTION ads_resume_session(
    p_session uuid, p_playback_session uuid, p_position_ms integer, p_expires_at timestamptz
) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    v_expires_at timestamptz;
BEGIN
    -- A callback that is being settled holds the session and waits for our wallet: it will be
    -- rewarded, and its time does not matter any more.
    UPDATE ads_adsession SET
        expires_at = greatest(expires_at, p_expires_at),
        playback_session_id = coalesce(p_playback_session, playback_session_id),
        position_ms = coalesce(p_position_ms, position_ms)
    WHERE id = (SELECT id FROM ads_adsession WHERE id = p_session FOR UPDATE SKIP LOCKED);
    SELECT expires_at INTO STRICT v_expires_at FROM ads_adsession WHERE id = p_session;
    RETURN jsonb_build_object(
        'outcome', 'resumed', 'session_id', p_session, 'expires_at', v_expires_at);
END $$;

-- Opens an ad session, or answers the open one that the viewer has for the same episode, or for coins. One for
-- an episode at a time: while there is one at another placement, a second could not pay once the first has. Where
-- an ad opens more than one episode, one for a title.
--
-- The caller has found the placement active, the episode published and not free, and the viewer and the title
-- among those that the placement is for; p_series and p_episode are NULL where its ads are watched for coins.
-- p_free_numbers are the episodes that cost this viewer nothing; p_day is the day of p_now in the reporting
-- zone. Returns {"outcome": "opened" | "resumed", "session_id", "expires_at"}, or, with no session written,
-- {"outcome": "elsewhere", "placement", "episode_id", "expires_at"} with the other session's placement and
-- episode, or {"outcome": "already_open" | "wrong_target" | "cap_reached" | "cooling_down"}.
--
-- The session keeps the terms of ads_terms_of_next: nobody who has watched some of the ads is asked for more of
-- them, or promised less. Of two ads that play at once the first begins a goal that the second counts towards, so
-- they are announced on the same terms: an edit between the two would promise by the second what the first one's
-- goal does not give.
--
-- Everything is read under the wallet's lock, which settling a callback holds too. An open session
-- takes a place of the cap as a reward does: nobody watches an ad that could not pay. It begins the
-- cooldown, too, or a viewer could open as many at once as the cap allows. Where a network calls nobody
-- and the app is believed, what a viewer had of its other placements counts as well, in cap and cooldown:
-- or as many placements would be as many times three ads for nothing.
CREATE OR REPLACE FUNCTION ads_open_session(
    p_viewer uuid, p_environment text, p_placement uuid, p_series uuid, p_episode uuid,
    p_free_numbers integer[], p_playback_session uuid, p_position_ms integer, p_day date,
    p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_placement ads_placement;
    v_terms record;
    v_used record;
    v_elsewhere record;
    v_session uuid;
    v_expires_at timestamptz;
BEGIN
    PERFORM payments_lock_wallet(p_viewer, p_environment, p_now);
    SELECT * INTO STRICT v_placement FROM ads_placement WHERE id = p_placement;
    v_expires_at := p_now + make_interval(secs => v_placement.session_seconds);

    IF (v_placement.reward = 'coins') <> (p_episode IS NULL) THEN
        RETURN jsonb_build_object('outcome', 'wrong_target');
    END IF;
    IF payments_live_entitlement(p_viewer, p_environment, p_episode, p_now) IS NOT NULL THEN
        RETURN jsonb_build_object('outcome', 'already_open');
    END IF;

    SELECT id INTO v_session FROM ads_adsession
    WHERE viewer_id = p_viewer AND environment = p_environment AND placement_id = p_placement
      AND closed_at IS NULL AND expires_at > p_now AND episode_id IS NOT DISTINCT FROM p_episode
      AND network = v_placement.network AND ad_unit_id = v_placement.ad_unit_id
    ORDER BY id DESC LIMIT 1;
    IF v_session IS NOT NULL THEN
        RETURN ads_resume_session(v_session, p_playback_session, p_position_ms, v_expires_at);
    END IF;

    SELECT * INTO v_terms
    FROM ads_terms_of_next(p_viewer, p_environment, v_placement, p_series, p_now);
    SELECT placement.code, session.episode_id, session.expires_at INTO v_elsewhere
    FROM ads_adsession session JOIN ads_placement placement ON placement.id = session.placement_id
    WHERE session.viewer_id = p_viewer AND session.environment = p_environment
      AND session.series_id = p_series
      AND (session.placement_id, session.episode_id) <> (p_placement, p_episode)
      AND (session.episode_id = p_episode
           OR session.reward_amount > 1 OR v_terms.reward_amount > 1
           OR 'minutes' IN (session.reward, v_placement.reward))
      AND session.closed_at IS NULL AND session.expires_at > p_now
    ORDER BY session.expires_at DESC LIMIT 1;
    IF FOUND THEN
        RETURN jsonb_build_object(
            'outcome', 'elsewhere', 'placement', v_elsewhere.code,
            'episode_id', v_elsewhere.episode_id, 'expires_at', v_elsewhere.expires_at);
    END IF;

    SELECT * INTO v_used
    FROM ads_taken_of_cap(p_viewer, p_environment, v_placement, p_day, p_now);
    IF v_used.taken >= v_placement.daily_cap THEN
        RETURN jsonb_build_object('outcome', 'cap_reached');
    END IF;
    IF v_used.latest + make_interval(secs => v_placement.cooldown_seconds) > p_now THEN
        RETURN jsonb_build_object('outcome', 'cooling_down');
    END IF;

    v_session := uuidv7();
    INSERT INTO ads_adsession
        (id, viewer_id, environment, placement_id, network, ad_unit_id, series_id, episode_id,
         reward, reward_amount, coins_expire_after_days, ads_needed, free_numbers,
         playback_session_id, position_ms, opened_at, expires_at, refusal)
    VALUES
        (v_session, p_viewer, p_environment, p_placement, v_placement.network,
         v_placement.ad_unit_id, p_series, p_episode, v_placement.reward, v_terms.reward_amount,
         v_terms.coins_expire_after_days, v_terms.ads_needed, p_free_numbers, p_playback_session,
         p_position_ms, p_now, v_expires_at, '');
    RETURN jsonb_build_object(
        'outcome', 'opened', 'session_id', v_session, 'expires_at', v_expires_at);
END $$;

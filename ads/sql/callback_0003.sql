-- Keeps a verified callback and settles it: one call, one transaction, whatever the verdict.
--
-- p_session and p_viewer are the ids that the callback carries, NULL where it carries none of ours;
-- p_ad_unit is the ad unit as the network names it; p_day is the day of p_now in the reporting zone.
-- Returns {"verdict": ..., "first": ...}, where `first` is what became of the transaction's first
-- callback. Amounts in callbacks are not among the arguments: what is granted is in the session's terms.
--
-- The network's signature says that the network sent it, not for whom: a stranger's ad unit may name
-- our address, one of our sessions and our viewer. So the ad unit must be the session's own, and no
-- verdict of such a callback closes the session.
--
-- For p_grace_seconds after a session has expired its callback still counts, where the cap of the day leaves
-- room beside the sessions that are open: an expired session has given its place back. Where a network calls
-- nobody, an app that comes late is not believed. What is genuine and pays nothing because it is nobody's, or
-- too late, is parked for an operator; but not what names neither a session nor an ad unit of ours: whose that
-- is, we do not know, and any publisher could fill the list with it.
--
-- Lock order: callback, session, wallet. Everything that gates the grant is read after the wallet is
-- locked.
CREATE FUNCTION ads_settle_callback(
    p_network text, p_transaction_id text, p_raw bytea, p_session uuid, p_viewer uuid,
    p_ad_unit text, p_grace_seconds integer, p_day date, p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_callback uuid := uuidv7();
    v_session ads_adsession;
    v_is_late boolean;
    v_verdict text;
BEGIN
    -- The second with the same transaction id, whatever it says, waits here for the first.
    INSERT INTO ads_callback
        (id, network, transaction_id, verdict, detail, raw_query, replay_count, received_at)
    VALUES (v_callback, p_network, p_transaction_id, 'paid', '', p_raw, 0, p_now)
    ON CONFLICT (network, transaction_id) DO NOTHING;
    IF NOT FOUND THEN
        RETURN ads_repeat_callback(p_network, p_transaction_id, p_now);
    END IF;

    SELECT * INTO v_session FROM ads_adsession WHERE id = p_session FOR UPDATE;
    v_is_late := v_session.expires_at <= p_now;
    IF v_session.id IS NULL THEN
        v_verdict := 'orphan';
    ELSIF v_session.network <> p_network
        OR split_part(v_session.ad_unit_id, '/', -1) <> p_ad_unit THEN
        v_verdict := 'other_placement';
    ELSIF p_viewer IS DISTINCT FROM v_session.viewer_id THEN
        v_verdict := 'other_viewer';
    ELSIF v_session.closed_at IS NOT NULL THEN
        v_verdict := 'session_used';
    ELSIF v_is_late AND (ads_is_believed(p_network)
        OR v_session.expires_at + make_interval(secs => p_grace_seconds) <= p_now) THEN
        v_verdict := 'expired';
    ELSE
        v_verdict := ads_reward_session(v_session, p_transaction_id, v_is_late, p_day, p_now);
        IF v_is_late THEN
            v_verdict := CASE v_verdict WHEN 'paid' THEN 'late' WHEN 'over_cap' THEN 'expired'
                                        ELSE v_verdict END;
        END IF;
        IF v_verdict IN ('already_open', 'over_cap') THEN
            UPDATE ads_adsession SET closed_at = p_now, refusal = v_verdict
            WHERE id = v_session.id;
        END IF;
    END IF;

    UPDATE ads_callback SET
        verdict = v_verdict, session_id = v_session.id,
        is_parked = NOT ads_is_believed(p_network)
            AND (v_verdict IN ('other_placement', 'other_viewer', 'expired')
                 OR (v_verdict = 'orphan' AND ads_may_be_ours(p_network, p_ad_unit)))
    WHERE id = v_callback;
    RETURN jsonb_build_object('verdict', v_verdict, 'first', v_verdict);
END $$;

-- Whether an ad unit, as a network names it in callbacks, is one of ours; so is what a network signs for us
-- alone and does not name.
CREATE FUNCTION ads_may_be_ours(p_network text, p_ad_unit text) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT p_ad_unit IS NULL OR EXISTS (
        SELECT FROM ads_placement
        WHERE network = p_network AND split_part(ad_unit_id, '/', -1) = p_ad_unit)
$$;

-- Counts a callback that came before, and says what became of the first one: what an operator has paid
-- since is paid.
CREATE FUNCTION ads_repeat_callback(p_network text, p_transaction_id text, p_now timestamptz)
RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    v_callback ads_callback;
BEGIN
    UPDATE ads_callback SET replay_count = replay_count + 1, last_replayed_at = p_now
    WHERE network = p_network AND transaction_id = p_transaction_id
    RETURNING * INTO STRICT v_callback;
    RETURN jsonb_build_object('verdict', 'replayed', 'first', CASE
        WHEN EXISTS (SELECT FROM ads_resolution
                     WHERE callback_id = v_callback.id AND kind = 'settled') THEN 'paid'
        ELSE v_callback.verdict END);
END $$;

-- The same for the release before this one, which knows no grace and goes on while this one is rolled out.
-- The release after this one drops it.
CREATE OR REPLACE FUNCTION ads_settle_callback(
    p_network text, p_transaction_id text, p_raw bytea, p_session uuid, p_viewer uuid,
    p_ad_unit text, p_day date, p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN ads_settle_callback(
        p_network, p_transaction_id, p_raw, p_session, p_viewer, p_ad_unit, 0, p_day, p_now);
END $$;

DROP FUNCTION ads_reward_session;

-- Counts the ad of a session that the caller has locked, if the viewer still lacks its episode and the cap
-- leaves room; the last ad of a goal opens or pays what the goal is for. Returns 'paid', with the session
-- closed, or 'already_open' or 'over_cap', with nothing written.
--
-- A network that calls nobody pays a viewer three times a day over all of its placements, or less where the
-- placement's cap says so. Beside a session that is p_is_late those that are open keep their places.
CREATE FUNCTION ads_reward_session(
    p_session ads_adsession, p_transaction_id text, p_is_late boolean, p_day date,
    p_now timestamptz
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    v_placement ads_placement;
    v_rewarded bigint;
    v_believed bigint := 0;
    v_open bigint := 0;
    v_goal ads_goal;
    v_reward uuid := uuidv7();
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
    IF p_is_late THEN
        SELECT count(*) INTO v_open FROM ads_adsession
        WHERE viewer_id = p_session.viewer_id AND environment = p_session.environment
          AND placement_id = p_session.placement_id AND closed_at IS NULL AND expires_at > p_now;
    END IF;

    IF payments_live_entitlement(
        p_session.viewer_id, p_session.environment, p_session.episode_id, p_now) IS NOT NULL THEN
        RETURN 'already_open';
    ELSIF v_rewarded + v_open >= v_placement.daily_cap
        OR v_believed >= least(v_placement.daily_cap, 3) THEN
        RETURN 'over_cap';
    END IF;
    v_goal := ads_count_towards_goal(p_session, p_now);
    INSERT INTO ads_reward
        (id, session_id, goal_id, place, network, transaction_id, viewer_id, environment,
         placement_id, series_id, episode_id, revenue_micros, day, number, daily_cap, created_at)
    VALUES
        (v_reward, p_session.id, v_goal.id, v_goal.ads_watched, p_session.network,
         p_transaction_id, p_session.viewer_id, p_session.environment, p_session.placement_id,
         p_session.series_id, p_session.episode_id, v_placement.estimated_net_micros, p_day,
         v_rewarded + 1, v_placement.daily_cap, p_now);
    UPDATE ads_adsession SET closed_at = p_now, rewarded_at = p_now WHERE id = p_session.id;
    IF v_goal.granted_at IS NOT NULL THEN
        PERFORM ads_grant(v_goal, v_reward, p_session, p_now);
    END IF;
    RETURN 'paid';
END $$;

-- Counts one more ad of the goal that waits for it, or of a new one on the session's terms; returns the goal,
-- granted if this was the last. The caller holds the wallet.
CREATE FUNCTION ads_count_towards_goal(p_session ads_adsession, p_now timestamptz)
RETURNS ads_goal
LANGUAGE plpgsql AS $$
DECLARE
    v_goal ads_goal;
BEGIN
    UPDATE ads_goal SET
        ads_watched = ads_watched + 1,
        granted_at = CASE WHEN ads_watched + 1 = ads_needed THEN p_now END
    WHERE viewer_id = p_session.viewer_id AND environment = p_session.environment
      AND placement_id = p_session.placement_id AND reward = p_session.reward
      AND series_id IS NOT DISTINCT FROM p_session.series_id AND granted_at IS NULL
    RETURNING * INTO v_goal;
    IF v_goal.id IS NULL THEN
        INSERT INTO ads_goal
            (id, viewer_id, environment, placement_id, series_id, reward, reward_amount,
             coins_expire_after_days, ads_needed, ads_watched, begun_at, granted_at)
        VALUES
            (uuidv7(), p_session.viewer_id, p_session.environment, p_session.placement_id,
             p_session.series_id, p_session.reward, p_session.reward_amount,
             p_session.coins_expire_after_days, p_session.ads_needed, 1, p_now,
             CASE WHEN p_session.ads_needed = 1 THEN p_now END)
        RETURNING * INTO STRICT v_goal;
    END IF;
    RETURN v_goal;
END $$;

-- Opens or pays what a goal is for, by the reward of its last ad: coins with what its ads have earned as
-- their value, for the account of the titles that they are spent on; episodes for good; or for so many minutes
-- all of the title that the viewer lacks. What is open already stays as it is. The caller holds the wallet.
CREATE FUNCTION ads_grant(
    p_goal ads_goal, p_reward uuid, p_session ads_adsession, p_now timestamptz
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_ends_at timestamptz;
    v_episode uuid;
    v_entitlement uuid;
BEGIN
    IF p_goal.reward = 'coins' THEN
        UPDATE ads_goal SET transfer_id = payments_give_coins(
            p_goal.viewer_id, p_goal.environment, 'reward', 'ad:' || p_session.id,
            p_goal.reward_amount,
            (SELECT sum(revenue_micros)::bigint FROM ads_reward WHERE goal_id = p_goal.id),
            p_now + make_interval(days => p_goal.coins_expire_after_days), p_now)
        WHERE id = p_goal.id;
        RETURN;
    END IF;
    IF p_goal.reward = 'minutes' THEN
        v_ends_at := p_now + make_interval(mins => p_goal.reward_amount);
        UPDATE ads_goal SET access_ends_at = v_ends_at WHERE id = p_goal.id;
    END IF;
    FOR v_episode IN SELECT * FROM ads_episodes_of_goal(p_goal, p_session, p_now) LOOP
        v_entitlement := payments_open_episode(
            p_goal.viewer_id, p_goal.environment, p_goal.series_id, v_episode, 'ad', v_ends_at,
            p_now);
        INSERT INTO ads_opening (id, reward_id, entitlement_id)
        VALUES (uuidv7(), p_reward, v_entitlement);
        UPDATE ads_reward SET entitlement_id = v_entitlement
        WHERE id = p_reward AND episode_id = v_episode;
    END LOOP;
END $$;

-- The episodes that a goal opens: the session's, withdrawn or not, and in order the next ones that are
-- published, cost the viewer something and are not open to them; all of the title's where time is granted.
CREATE FUNCTION ads_episodes_of_goal(
    p_goal ads_goal, p_session ads_adsession, p_now timestamptz
) RETURNS SETOF uuid
LANGUAGE sql AS $$
    SELECT episode.id
    FROM catalog_episode episode
    JOIN catalog_episode asked ON asked.id = p_session.episode_id
    WHERE episode.series_id = p_goal.series_id
      AND (episode.id = asked.id
           OR (episode.state = 'published'
               AND NOT episode.number = ANY(p_session.free_numbers)
               AND (p_goal.reward = 'minutes' OR episode.number > asked.number)
               AND payments_live_entitlement(
                   p_goal.viewer_id, p_goal.environment, episode.id, p_now) IS NULL))
    ORDER BY episode.id <> asked.id, episode.number
    LIMIT CASE p_goal.reward WHEN 'episodes' THEN p_goal.reward_amount END;
$$;

-- Tasks: how far a viewer is, and their coins, once for each period.

-- How much of a task's target a viewer has in a period: days from p_first_day on and before p_until_day,
-- moments from p_starts_at on and before p_ends_at. Notifications are the app's word, given with the claim;
-- a sign-up is reached by an identity, too. A check-in has no progress.
CREATE FUNCTION ads_task_progress(
    p_task ads_task, p_viewer uuid, p_environment text, p_first_day date, p_until_day date,
    p_starts_at timestamptz, p_ends_at timestamptz
) RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT CASE p_task.kind
        WHEN 'watch' THEN (
            SELECT coalesce(sum(seconds), 0) FROM ads_watchday
            WHERE viewer_id = p_viewer AND environment = p_environment
              AND day >= p_first_day AND day < p_until_day)
        WHEN 'ads' THEN (
            SELECT count(*) FROM ads_reward
            WHERE viewer_id = p_viewer AND environment = p_environment
              AND day >= p_first_day AND day < p_until_day)
        WHEN 'unlocks' THEN (
            SELECT count(*) FROM payments_unlock spent
            WHERE spent.viewer_id = p_viewer AND spent.environment = p_environment
              AND spent.created_at >= p_starts_at AND spent.created_at < p_ends_at
              AND NOT EXISTS (
                  SELECT FROM payments_unlockreversal undone WHERE undone.unlock_id = spent.id))
        WHEN 'identity' THEN (
            SELECT count(*) FROM viewers_identity WHERE viewer_id = p_viewer)
        WHEN 'notifications' THEN p_task.target_count
        WHEN 'sign_up' THEN CASE
            WHEN ads_is_proven(p_viewer, p_environment, p_task.target_count)
            THEN p_task.target_count
            ELSE (SELECT coalesce(sum(seconds), 0) FROM ads_watchday
                  WHERE viewer_id = p_viewer AND environment = p_environment) END
        ELSE 0 END;
$$;

-- What became of a claim, as the callers answer it.
CREATE FUNCTION ads_told_claim(p_outcome text, p_claim ads_taskclaim) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object(
        'outcome', p_outcome, 'claim_id', p_claim.id, 'period', p_claim.period,
        'coins', p_claim.coins, 'coins_expire_at', p_claim.coins_expire_at,
        'streak_day', p_claim.streak_day)
$$;

-- Gives a task's coins and writes the claim; NULL where its campaign is over or has not so much left. The
-- caller holds the wallet's lock and has found that the viewer may have them.
CREATE FUNCTION ads_pay_task(
    p_task ads_task, p_viewer uuid, p_environment text, p_period text, p_coins bigint,
    p_streak_day integer, p_now timestamptz
) RETURNS ads_taskclaim
LANGUAGE plpgsql AS $$
DECLARE
    v_claim ads_taskclaim;
    v_expire_at timestamptz := p_now + make_interval(days => p_task.coins_expire_after_days);
BEGIN
    IF p_task.campaign_id IS NOT NULL THEN
        UPDATE ads_taskcampaign SET
            spent_coins = spent_coins + CASE p_environment WHEN 'production' THEN p_coins ELSE 0 END,
            sandbox_spent_coins =
                sandbox_spent_coins + CASE p_environment WHEN 'sandbox' THEN p_coins ELSE 0 END
        WHERE id = p_task.campaign_id AND starts_at <= p_now
          AND (ends_at IS NULL OR ends_at > p_now)
          AND budget_coins >= p_coins + CASE p_environment WHEN 'sandbox' THEN sandbox_spent_coins
                                                           ELSE spent_coins END;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO ads_taskclaim
        (id, viewer_id, environment, task_id, period, coins, coins_expire_at, streak_day,
         campaign_id, transfer_id, created_at)
    VALUES
        (uuidv7(), p_viewer, p_environment, p_task.id, p_period, p_coins, v_expire_at,
         p_streak_day, p_task.campaign_id,
         payments_give_coins(
             p_viewer, p_environment, 'reward',
             'task:' || p_task.id || ':' || p_viewer || ':' || p_period, p_coins, 0, v_expire_at,
             p_now),
         p_now)
    RETURNING * INTO STRICT v_claim;
    RETURN v_claim;
END $$;

-- Claims a task for the period that p_now is in. The caller has found who the task is for.
--
-- Returns {"outcome": "paid" | "repeated", "claim_id", "period", "coins", "coins_expire_at",
-- "streak_day"}, or with nothing given {"outcome": "off" | "not_reached" | "budget_spent"} or {"outcome":
-- "limited", "limit"}. Whoever has claimed it is answered the same again, whatever has become of it since. A
-- viewer has one sign-up bonus, whichever task it was of.
--
-- Lock order: wallet, limits, campaign.
CREATE FUNCTION ads_claim_task(
    p_viewer uuid, p_environment text, p_task uuid, p_period text, p_first_day date,
    p_until_day date, p_starts_at timestamptz, p_ends_at timestamptz, p_limits jsonb,
    p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_task ads_task;
    v_claim ads_taskclaim;
    v_reached text;
BEGIN
    PERFORM payments_lock_wallet(p_viewer, p_environment, p_now);
    SELECT * INTO v_claim FROM ads_taskclaim
    WHERE viewer_id = p_viewer AND environment = p_environment AND task_id = p_task
      AND period = p_period;
    IF v_claim.id IS NOT NULL THEN
        RETURN ads_told_claim('repeated', v_claim);
    END IF;
    SELECT * INTO STRICT v_task FROM ads_task WHERE id = p_task;
    IF NOT v_task.is_active OR v_task.starts_at > p_now OR v_task.ends_at <= p_now
       OR v_task.kind = 'check_in' THEN
        RETURN jsonb_build_object('outcome', 'off');
    END IF;
    IF ads_task_progress(v_task, p_viewer, p_environment, p_first_day, p_until_day, p_starts_at,
                         p_ends_at) < v_task.target_count THEN
        RETURN jsonb_build_object('outcome', 'not_reached');
    END IF;
    IF v_task.kind = 'sign_up' AND EXISTS (
        SELECT FROM ads_taskclaim claim JOIN ads_task task ON task.id = claim.task_id
        WHERE claim.viewer_id = p_viewer AND claim.environment = p_environment
          AND task.kind = 'sign_up'
    ) THEN
        RETURN jsonb_build_object('outcome', 'limited', 'limit', 'sign_up_viewer');
    END IF;
    v_reached := ads_reached_limit(p_environment, p_limits);
    IF v_reached IS NOT NULL THEN
        RETURN jsonb_build_object('outcome', 'limited', 'limit', v_reached);
    END IF;
    v_claim := ads_pay_task(
        v_task, p_viewer, p_environment, p_period, v_task.bonus_coins, NULL, p_now);
    IF v_claim.id IS NULL THEN
        RETURN jsonb_build_object('outcome', 'budget_spent');
    END IF;
    PERFORM ads_count_limits(p_environment, p_limits);
    RETURN ads_told_claim('paid', v_claim);
END $$;

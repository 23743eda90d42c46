-- Check-ins: a viewer's days by the server's time in the viewer's zone.

-- The viewer's calendar, which is made if it is not there yet. The caller holds the wallet's lock.
CREATE FUNCTION ads_check_in_streak(p_viewer uuid, p_environment text, p_zone text)
RETURNS ads_checkinstreak
LANGUAGE plpgsql AS $$
DECLARE
    v_streak ads_checkinstreak;
BEGIN
    INSERT INTO ads_checkinstreak (id, viewer_id, environment, zone, number, streak, last_zone)
    VALUES (uuidv7(), p_viewer, p_environment, p_zone, 0, 0, '')
    ON CONFLICT (viewer_id, environment) DO NOTHING;
    SELECT * INTO STRICT v_streak FROM ads_checkinstreak
    WHERE viewer_id = p_viewer AND environment = p_environment FOR UPDATE;
    RETURN v_streak;
END $$;

-- Moves a viewer to another time zone; the first choice is free, and then one in p_rest.
--
-- Returns {"outcome": "set" | "same" | "too_soon", "zone_set_at"}.
CREATE FUNCTION ads_set_zone(
    p_viewer uuid, p_environment text, p_zone text, p_rest interval, p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_streak ads_checkinstreak;
    v_outcome text := 'set';
BEGIN
    PERFORM payments_lock_wallet(p_viewer, p_environment, p_now);
    v_streak := ads_check_in_streak(p_viewer, p_environment, p_zone);
    IF v_streak.zone_set_at IS NOT NULL AND v_streak.zone = p_zone THEN
        v_outcome := 'same';
    ELSIF v_streak.zone_set_at + p_rest > p_now THEN
        v_outcome := 'too_soon';
    ELSE
        UPDATE ads_checkinstreak SET zone = p_zone, zone_set_at = p_now WHERE id = v_streak.id
        RETURNING * INTO STRICT v_streak;
    END IF;
    RETURN jsonb_build_object('outcome', v_outcome, 'zone_set_at', v_streak.zone_set_at);
END $$;

-- Checks a viewer in for p_date, which is p_now's in p_zone, as the p_streak-th day in a row.
--
-- The caller has decided so by the calendar as it was after p_number check-ins; if it is another by now the
-- outcome is "changed". What must never be is refused here again: a date that is not after the last one, and
-- in another zone than the last time anything sooner than p_gap.
--
-- Returns what ads_claim_task does, and {"outcome": "changed" | "too_soon"}.
CREATE FUNCTION ads_check_in(
    p_viewer uuid, p_environment text, p_task uuid, p_number integer, p_zone text, p_date date,
    p_streak integer, p_gap interval, p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_task ads_task;
    v_streak ads_checkinstreak;
    v_claim ads_taskclaim;
    v_days integer;
    v_day integer;
    v_coins bigint;
BEGIN
    PERFORM payments_lock_wallet(p_viewer, p_environment, p_now);
    SELECT * INTO v_claim FROM ads_taskclaim
    WHERE viewer_id = p_viewer AND environment = p_environment AND task_id = p_task
      AND period = p_date::text;
    IF v_claim.id IS NOT NULL THEN
        RETURN ads_told_claim('repeated', v_claim);
    END IF;
    SELECT * INTO STRICT v_task FROM ads_task WHERE id = p_task;
    IF NOT v_task.is_active OR v_task.starts_at > p_now OR v_task.ends_at <= p_now
       OR v_task.kind <> 'check_in' THEN
        RETURN jsonb_build_object('outcome', 'off');
    END IF;
    v_streak := ads_check_in_streak(p_viewer, p_environment, p_zone);
    IF v_streak.number <> p_number OR v_streak.zone <> p_zone THEN
        RETURN jsonb_build_object('outcome', 'changed');
    END IF;
    IF p_date <= v_streak.last_date
       OR (v_streak.last_zone <> p_zone AND v_streak.last_at + p_gap > p_now) THEN
        RETURN jsonb_build_object('outcome', 'too_soon');
    END IF;
    SELECT count(*) INTO v_days FROM ads_checkinday WHERE task_id = p_task;
    IF v_days = 0 THEN
        RETURN jsonb_build_object('outcome', 'off');
    END IF;
    v_day := (p_streak - 1) % v_days + 1;
    SELECT bonus_coins INTO STRICT v_coins
    FROM (SELECT bonus_coins, row_number() OVER (ORDER BY number) AS place
          FROM ads_checkinday WHERE task_id = p_task) AS calendar
    WHERE place = v_day;
    v_claim := ads_pay_task(
        v_task, p_viewer, p_environment, p_date::text, v_coins, v_day, p_now);
    IF v_claim.id IS NULL THEN
        RETURN jsonb_build_object('outcome', 'budget_spent');
    END IF;
    UPDATE ads_checkinstreak SET
        number = number + 1, streak = p_streak, last_date = p_date, last_at = p_now,
        last_zone = p_zone
    WHERE id = v_streak.id;
    RETURN ads_told_claim('paid', v_claim);
END $$;

-- What becomes of tasks and referrals when two viewers turn out to be one, and when one leaves for good.

-- Everything of p_gone is p_kept's from now on; what either had once, both have had.
--
-- A claim that both have stays with each: it was paid. Check-ins go on after the later one. A second is
-- watched once, whichever of the two watched it. Nobody has brought themselves: such a referral is voided if
-- it waits, as is that of p_gone where p_kept has one.
CREATE FUNCTION ads_merge_growth(
    p_gone uuid, p_kept uuid, p_environment text, p_now timestamptz
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_viewer uuid;
    v_gone ads_checkinstreak;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('ads referrals ' || p_environment, 0));
    FOR v_viewer IN SELECT viewer FROM unnest(ARRAY[p_gone, p_kept]) AS viewer ORDER BY viewer LOOP
        PERFORM payments_lock_wallet(v_viewer, p_environment, p_now);
    END LOOP;
    UPDATE ads_taskclaim AS claim SET viewer_id = p_kept
    WHERE claim.viewer_id = p_gone AND claim.environment = p_environment AND NOT EXISTS (
        SELECT FROM ads_taskclaim own
        WHERE own.viewer_id = p_kept AND own.environment = p_environment
          AND own.task_id = claim.task_id AND own.period = claim.period);

    INSERT INTO ads_watchday AS kept
        (id, viewer_id, environment, day, seconds, settled_seconds, covered)
    SELECT uuidv7(), p_kept, environment, day, seconds, settled_seconds, covered FROM ads_watchday
    WHERE viewer_id = p_gone AND environment = p_environment
    ON CONFLICT (viewer_id, environment, day) DO UPDATE SET
        covered = kept.covered + excluded.covered,
        seconds = ads_seconds_in(kept.covered + excluded.covered);
    DELETE FROM ads_watchday WHERE viewer_id = p_gone AND environment = p_environment;

    DELETE FROM ads_checkinstreak WHERE viewer_id = p_gone AND environment = p_environment
    RETURNING * INTO v_gone;
    IF v_gone.id IS NOT NULL THEN
        PERFORM ads_check_in_streak(p_kept, p_environment, v_gone.zone);
        UPDATE ads_checkinstreak SET
            number = number + v_gone.number,
            streak = CASE WHEN v_gone.last_at > coalesce(last_at, '-infinity') THEN v_gone.streak
                          ELSE streak END,
            last_zone = CASE WHEN v_gone.last_at > coalesce(last_at, '-infinity')
                             THEN v_gone.last_zone ELSE last_zone END,
            last_date = greatest(last_date, v_gone.last_date),
            last_at = greatest(last_at, v_gone.last_at),
            zone_set_at = greatest(zone_set_at, v_gone.zone_set_at)
        WHERE viewer_id = p_kept AND environment = p_environment;
    END IF;

    PERFORM ads_void_referral(referral.id, 'same', p_now)
    FROM ads_referral referral
    WHERE referral.environment = p_environment AND (
        (referral.invitee_id, referral.referrer_id) IN ((p_gone, p_kept), (p_kept, p_gone))
        OR (referral.invitee_id = p_gone AND EXISTS (
            SELECT FROM ads_referral own
            WHERE own.invitee_id = p_kept AND own.environment = p_environment)));
    UPDATE ads_referral SET invitee_id = p_kept
    WHERE invitee_id = p_gone AND environment = p_environment AND referrer_id <> p_kept
      AND NOT EXISTS (
          SELECT FROM ads_referral own
          WHERE own.invitee_id = p_kept AND own.environment = p_environment);
    UPDATE ads_referral SET referrer_id = p_kept
    WHERE referrer_id = p_gone AND environment = p_environment AND invitee_id <> p_kept;
    UPDATE ads_invite SET viewer_id = p_kept
    WHERE viewer_id = p_gone AND environment = p_environment AND NOT EXISTS (
        SELECT FROM ads_invite own
        WHERE own.viewer_id = p_kept AND own.environment = p_environment);
    DELETE FROM ads_invite WHERE viewer_id = p_gone AND environment = p_environment;
END $$;

-- Forgets where a viewer's days begin, when they watched and their code. What was paid stays, as money does.
CREATE FUNCTION ads_erase_growth(p_viewer uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM ads_checkinstreak WHERE viewer_id = p_viewer;
    DELETE FROM ads_watchday WHERE viewer_id = p_viewer;
    DELETE FROM ads_invite WHERE viewer_id = p_viewer;
$$;

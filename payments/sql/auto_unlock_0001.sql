-- Unlocks that a viewer has agreed to beforehand, for one series and up to so many coins a day.

-- Agrees, or agrees anew where anything of it differs; returns the consent. What was agreed before is
-- kept, ended. Under the wallet's lock, so that no unlock is charged under two consents.
CREATE FUNCTION payments_agree_to_auto_unlock(
    p_viewer uuid, p_environment text, p_series uuid, p_daily_cap bigint, p_price_version uuid,
    p_adjustments uuid[], p_now timestamptz
) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_standing payments_autounlockconsent;
    v_consent uuid := uuidv7();
BEGIN
    PERFORM payments_lock_wallet(p_viewer, p_environment, p_now);
    SELECT * INTO v_standing FROM payments_autounlockconsent
    WHERE viewer_id = p_viewer AND environment = p_environment AND series_id = p_series
      AND ended_at IS NULL;
    IF (v_standing.daily_cap_coins, v_standing.price_version_id, v_standing.adjustments)
        = (p_daily_cap, p_price_version, p_adjustments) THEN
        RETURN v_standing.id;
    END IF;
    UPDATE payments_autounlockconsent SET ended_at = p_now WHERE id = v_standing.id;
    INSERT INTO payments_autounlockconsent
        (id, viewer_id, environment, series_id, daily_cap_coins, price_version_id, adjustments,
         agreed_at)
    VALUES (v_consent, p_viewer, p_environment, p_series, p_daily_cap, p_price_version,
            p_adjustments, p_now);
    RETURN v_consent;
END $$;

-- Ends the consent for a series: from now on nothing is charged under it.
CREATE FUNCTION payments_end_auto_unlock(
    p_viewer uuid, p_environment text, p_series uuid, p_now timestamptz
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM payments_wallet
    WHERE viewer_id = p_viewer AND environment = p_environment FOR UPDATE;
    UPDATE payments_autounlockconsent SET ended_at = p_now
    WHERE viewer_id = p_viewer AND environment = p_environment AND series_id = p_series
      AND ended_at IS NULL;
END $$;

-- What stands against an unlock under a consent, as an outcome; NULL where nothing does. The caller
-- holds the wallet. p_most is what the viewer has agreed to pay for this episode.
CREATE FUNCTION payments_refuse_auto_unlock(
    p_consent uuid, p_viewer uuid, p_environment text, p_series uuid, p_price bigint,
    p_most bigint, p_day date
) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    v_consent payments_autounlockconsent;
    v_spent bigint;
BEGIN
    SELECT * INTO v_consent FROM payments_autounlockconsent
    WHERE id = p_consent AND viewer_id = p_viewer AND environment = p_environment
      AND series_id = p_series AND ended_at IS NULL;
    IF v_consent.id IS NULL THEN
        RETURN jsonb_build_object('outcome', 'auto_unlock_off');
    END IF;
    IF p_price > p_most THEN
        RETURN jsonb_build_object(
            'outcome', 'auto_unlock_price_rose', 'price_coins', p_price, 'agreed_coins', p_most);
    END IF;
    v_spent := payments_auto_unlocked_coins(p_viewer, p_environment, p_series, p_day);
    IF v_spent + p_price > v_consent.daily_cap_coins THEN
        RETURN jsonb_build_object(
            'outcome', 'auto_unlock_cap_reached', 'price_coins', p_price,
            'spent_today_coins', v_spent, 'daily_cap_coins', v_consent.daily_cap_coins);
    END IF;
    RETURN NULL;
END $$;

-- What unlocks of a series without a tap have cost on a day, but for those that were undone: under
-- whichever consent, so that agreeing anew does not begin the day anew.
CREATE FUNCTION payments_auto_unlocked_coins(
    p_viewer uuid, p_environment text, p_series uuid, p_day date
) RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(unlock.price_coins), 0)::bigint
    FROM payments_unlock unlock
    JOIN payments_autounlockconsent consent ON consent.id = unlock.consent_id
    WHERE unlock.viewer_id = p_viewer AND unlock.environment = p_environment
      AND unlock.day = p_day AND unlock.consent_id IS NOT NULL AND consent.series_id = p_series
      AND NOT EXISTS (SELECT FROM payments_unlockreversal WHERE unlock_id = unlock.id);
$$;

-- A viewer takes back an unlock that was made without a tap, before it was played and p_seconds after it
-- at most. Returns {"outcome": "undone" | "unknown" | "not_automatic" | "played" | "too_late" |
-- "refunded"}; undone twice is undone.
--
-- Playing marks the entitlement's row, so what is locked here cannot be played meanwhile.
CREATE FUNCTION payments_undo_auto_unlock(
    p_viewer uuid, p_environment text, p_unlock uuid, p_seconds integer, p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_unlock payments_unlock;
    v_reversal payments_unlockreversal;
    v_is_unplayed boolean;
    v_outcome text := 'undone';
BEGIN
    SELECT * INTO v_unlock FROM payments_unlock
    WHERE id = p_unlock AND viewer_id = p_viewer AND environment = p_environment;
    IF v_unlock.id IS NULL THEN
        RETURN jsonb_build_object('outcome', 'unknown');
    END IF;
    PERFORM payments_lock_wallet(p_viewer, p_environment, p_now);
    SELECT * INTO v_reversal FROM payments_unlockreversal WHERE unlock_id = p_unlock;
    PERFORM FROM payments_entitlement
    WHERE id = v_unlock.entitlement_id AND first_played_at IS NULL FOR UPDATE;
    v_is_unplayed := FOUND;
    IF v_unlock.way <> 'auto' THEN
        v_outcome := 'not_automatic';
    ELSIF v_reversal.booking_id IS NOT NULL THEN
        v_outcome := 'refunded';
    ELSIF v_reversal.id IS NOT NULL THEN
        v_outcome := 'undone';
    ELSIF NOT v_is_unplayed THEN
        v_outcome := 'played';
    ELSIF p_now > v_unlock.created_at + make_interval(secs => p_seconds) THEN
        v_outcome := 'too_late';
    ELSIF (SELECT coalesce(sum(coins), 0) FROM payments_unlockcorrection
           WHERE unlock_id = p_unlock) <> 0 THEN
        v_outcome := 'refunded';
    ELSE
        PERFORM payments_reverse_unlock(p_unlock, NULL, NULL, '', p_now);
    END IF;
    RETURN jsonb_build_object(
        'outcome', v_outcome, 'episode_id', v_unlock.episode_id,
        'price_coins', v_unlock.price_coins, 'paid_coins', v_unlock.paid_coins,
        'bonus_coins', v_unlock.bonus_coins);
END $$;

-- Charges again for an episode that a refund had closed and that is still closed, out of the same lots
-- and under the same promise. Where a lot has not got the coins any more, the viewer keeps the rest.
CREATE OR REPLACE FUNCTION payments_restore_unlock(p_reversal uuid, p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_old payments_unlock;
    v_unlock uuid := uuidv7();
    v_transfer uuid := uuidv7();
    v_series uuid;
    v_value bigint;
    v_attribution bigint;
    v_entitlement uuid;
BEGIN
    SELECT unlock.* INTO STRICT v_old
    FROM payments_unlock unlock JOIN payments_unlockreversal reversal
        ON reversal.unlock_id = unlock.id
    WHERE reversal.id = p_reversal;
    IF payments_live_entitlement(
        v_old.viewer_id, v_old.environment, v_old.episode_id, p_now) IS NOT NULL
    OR EXISTS (
        SELECT FROM payments_lotmovement movement JOIN payments_lot lot ON lot.id = movement.lot_id
        WHERE movement.transfer_id = v_old.transfer_id
          AND (lot.remaining_coins < -movement.coins OR lot.expires_at <= p_now)
    ) THEN
        RETURN;
    END IF;

    SELECT coalesce(sum(taken.value) FILTER (WHERE taken.origin <> 'reward'), 0),
           coalesce(sum(taken.value) FILTER (WHERE taken.origin = 'reward'), 0)
    INTO v_value, v_attribution
    FROM (
        SELECT lot.origin,
               payments_take_from_lot(lot.id, -movement.coins, v_transfer, p_now) AS value
        FROM payments_lotmovement movement JOIN payments_lot lot ON lot.id = movement.lot_id
        WHERE movement.transfer_id = v_old.transfer_id
    ) AS taken;
    PERFORM payments_post(
        v_transfer, v_old.viewer_id,
        payments_lock_wallet(v_old.viewer_id, v_old.environment, p_now), v_old.environment,
        'unlock', v_unlock::text, ARRAY['bonus', 'paid', 'unlocks'],
        ARRAY[-v_old.bonus_coins, -v_old.paid_coins, v_old.price_coins], p_now, p_now);
    SELECT series_id INTO STRICT v_series FROM payments_entitlement
    WHERE id = v_old.entitlement_id;
    v_entitlement := payments_open_episode(
        v_old.viewer_id, v_old.environment, v_series, v_old.episode_id, 'coins', NULL, p_now);
    INSERT INTO payments_unlock
        (id, viewer_id, environment, episode_id, entitlement_id, transfer_id, price_version_id,
         adjustments, arm, number, numbering, quote_expires_at, price_coins, paid_coins, bonus_coins,
         value_micros, attribution_micros, playback_session_id, position_ms, created_at)
    VALUES (v_unlock, v_old.viewer_id, v_old.environment, v_old.episode_id, v_entitlement,
            v_transfer, v_old.price_version_id, v_old.adjustments, v_old.arm, v_old.number,
            v_old.numbering,
            v_old.quote_expires_at, v_old.price_coins, v_old.paid_coins, v_old.bonus_coins,
            v_value, v_attribution, v_old.playback_session_id, v_old.position_ms, p_now);
    UPDATE payments_unlockreversal SET restored_as_id = v_unlock WHERE id = p_reversal;
END $$;

-- Puts an unlock's coins back into their lots, closes its episode and takes its revenue back; what its
-- viewer has spent on its day is that much less. The caller holds the wallet's lock and has found no
-- reversal of it, and no part of it that is owed.
CREATE OR REPLACE FUNCTION payments_reverse_unlock(
    p_unlock uuid, p_booking uuid, p_operator integer, p_reason text, p_now timestamptz
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_unlock payments_unlock;
    v_transfer uuid := uuidv7();
BEGIN
    SELECT * INTO STRICT v_unlock FROM payments_unlock WHERE id = p_unlock;
    PERFORM payments_reverse(
        v_unlock.transfer_id, v_transfer, 'unlock_reversal', p_unlock::text, p_now, p_now);
    UPDATE payments_wallet SET spent_coins = spent_coins - v_unlock.price_coins
    WHERE viewer_id = v_unlock.viewer_id AND environment = v_unlock.environment
      AND spent_on = v_unlock.day;
    INSERT INTO payments_unlockcorrection
        (id, unlock_id, lot_id, transfer_id, coins, value_micros, attribution_micros, created_at)
    SELECT uuidv7(), p_unlock, lot.id, v_transfer, movement.coins,
           CASE WHEN lot.origin <> 'reward' THEN movement.value_micros ELSE 0 END,
           CASE WHEN lot.origin = 'reward' THEN movement.value_micros ELSE 0 END, p_now
    FROM payments_lotmovement movement JOIN payments_lot lot ON lot.id = movement.lot_id
    WHERE movement.transfer_id = v_unlock.transfer_id;
    UPDATE payments_entitlement SET closed_at = p_now
    WHERE id = v_unlock.entitlement_id AND closed_at IS NULL;
    INSERT INTO payments_unlockreversal
        (id, unlock_id, transfer_id, booking_id, asked_by_id, reason, created_at)
    VALUES (uuidv7(), p_unlock, v_transfer, p_booking, p_operator, p_reason, p_now);
END $$;

-- Charges again for an episode that a refund had closed and that is still closed, out of the same lots
-- and under the same promise. Where a lot has not got the coins any more, the viewer keeps the rest.
-- What was rented is open again for as long as it had been when it was closed.
CREATE OR REPLACE FUNCTION payments_restore_unlock(p_reversal uuid, p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_old payments_unlock;
    v_unlock uuid := uuidv7();
    v_transfer uuid := uuidv7();
    v_value bigint;
    v_attribution bigint;
    v_entitlement uuid;
    v_closed payments_entitlement;
    v_ends_at timestamptz;
BEGIN
    SELECT unlock.* INTO STRICT v_old
    FROM payments_unlock unlock JOIN payments_unlockreversal reversal
        ON reversal.unlock_id = unlock.id
    WHERE reversal.id = p_reversal;
    SELECT * INTO STRICT v_closed FROM payments_entitlement WHERE id = v_old.entitlement_id;
    v_ends_at := p_now + (v_closed.ends_at - v_closed.closed_at);
    IF v_ends_at <= p_now
    OR payments_live_entitlement(
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
    UPDATE payments_wallet SET spent_coins = spent_coins + v_old.price_coins
    WHERE viewer_id = v_old.viewer_id AND environment = v_old.environment
      AND spent_on = v_old.day;
    v_entitlement := payments_open_episode(
        v_old.viewer_id, v_old.environment, v_closed.series_id, v_old.episode_id, 'coins', v_ends_at,
        p_now);
    INSERT INTO payments_unlock
        (id, viewer_id, environment, episode_id, entitlement_id, transfer_id, price_version_id,
         adjustments, arm, number, numbering, quote_expires_at, price_coins, paid_coins, bonus_coins,
         value_micros, attribution_micros, playback_session_id, position_ms, way, bundle_id,
         consent_id, day, created_at)
    VALUES (v_unlock, v_old.viewer_id, v_old.environment, v_old.episode_id, v_entitlement,
            v_transfer, v_old.price_version_id, v_old.adjustments, v_old.arm, v_old.number,
            v_old.numbering,
            v_old.quote_expires_at, v_old.price_coins, v_old.paid_coins, v_old.bonus_coins,
            v_value, v_attribution, v_old.playback_session_id, v_old.position_ms, v_old.way,
            v_old.bundle_id, v_old.consent_id, v_old.day, p_now);
    UPDATE payments_unlockreversal SET restored_as_id = v_unlock WHERE id = p_reversal;
END $$;

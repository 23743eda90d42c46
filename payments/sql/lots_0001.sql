-- Coins out of a lot and back into it. The callers hold the wallet's lock.

-- Takes coins out of a lot; returns the value that goes with them, which is not below zero.
--
-- After n of its coins have left, floor(value × n ÷ granted) has left with them: exact to the micro, the
-- remainder with the last coin. Coins that came back brought the value they had left with, which can
-- differ from that by some micros, so never more is left behind than there is.
CREATE FUNCTION payments_take_from_lot(
    p_lot uuid, p_coins bigint, p_transfer uuid, p_now timestamptz
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_value bigint;
BEGIN
    UPDATE payments_lot SET
        remaining_coins = remaining_coins - p_coins,
        remaining_value_micros = least(
            remaining_value_micros,
            value_micros - div(
                value_micros::numeric * (granted_coins - remaining_coins + p_coins),
                granted_coins::numeric)::bigint)
    WHERE id = p_lot
    RETURNING old.remaining_value_micros - new.remaining_value_micros INTO STRICT v_value;
    INSERT INTO payments_lotmovement (id, lot_id, transfer_id, coins, value_micros, created_at)
    VALUES (uuidv7(), p_lot, p_transfer, -p_coins, -v_value, p_now);
    RETURN v_value;
END $$;

-- Puts back into their lots what a transfer had taken out, coin for coin and micro for micro.
CREATE FUNCTION payments_return_to_lots(p_original uuid, p_transfer uuid, p_now timestamptz)
RETURNS void
LANGUAGE sql AS $$
    UPDATE payments_lot AS lot SET
        remaining_coins = lot.remaining_coins - taken.coins,
        remaining_value_micros = lot.remaining_value_micros - taken.value_micros
    FROM payments_lotmovement AS taken
    WHERE taken.transfer_id = p_original AND lot.id = taken.lot_id;

    INSERT INTO payments_lotmovement (id, lot_id, transfer_id, coins, value_micros, created_at)
    SELECT uuidv7(), lot_id, p_transfer, -coins, -value_micros, p_now
    FROM payments_lotmovement WHERE transfer_id = p_original;
$$;

-- Lapses what is left in lots past their expiry, of p_limit wallets at most, each lot by a transfer of
-- its own; returns how many lots. Wallets that somebody else holds wait for the next call.
CREATE FUNCTION payments_expire_lots(p_limit integer, p_now timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_wallet payments_wallet;
    v_lot payments_lot;
    v_transfer uuid;
    v_lapsed integer := 0;
BEGIN
    FOR v_wallet IN
        SELECT * FROM payments_wallet
        WHERE id IN (
            SELECT wallet_id FROM payments_lot
            WHERE remaining_coins > 0 AND expires_at <= p_now
            ORDER BY expires_at LIMIT p_limit)
        FOR UPDATE SKIP LOCKED
    LOOP
        FOR v_lot IN
            SELECT * FROM payments_lot
            WHERE wallet_id = v_wallet.id AND remaining_coins > 0 AND expires_at <= p_now
            ORDER BY expires_at, id
        LOOP
            v_transfer := uuidv7();
            PERFORM payments_post(
                v_transfer, v_wallet.viewer_id, v_wallet.id, v_wallet.environment, 'expiry',
                -- Coins that come back to a lapsed lot lapse again.
                v_lot.id || '#' || (
                    SELECT count(*) FROM payments_lotmovement WHERE lot_id = v_lot.id),
                ARRAY['bonus', 'expired'], ARRAY[-v_lot.remaining_coins, v_lot.remaining_coins],
                v_lot.expires_at, p_now);
            PERFORM payments_take_from_lot(v_lot.id, v_lot.remaining_coins, v_transfer, p_now);
            v_lapsed := v_lapsed + 1;
        END LOOP;
    END LOOP;
    RETURN v_lapsed;
END $$;

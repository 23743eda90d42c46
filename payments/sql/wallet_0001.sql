-- Locks a viewer's wallet in one environment, which is made if it is not there yet; returns its id.
--
-- For the functions of other apps that grant something: everything that gates the grant is read
-- after this lock.
CREATE FUNCTION payments_lock_wallet(p_viewer uuid, p_environment text, p_now timestamptz)
RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    v_wallet uuid;
BEGIN
    INSERT INTO payments_wallet
        (id, viewer_id, environment, paid_coins, paid_sequence, bonus_coins, bonus_sequence,
         debt_coins, debt_sequence, created_at)
    VALUES (uuidv7(), p_viewer, p_environment, 0, 0, 0, 0, 0, 0, p_now)
    ON CONFLICT (viewer_id, environment) DO NOTHING;
    SELECT id INTO STRICT v_wallet FROM payments_wallet
    WHERE viewer_id = p_viewer AND environment = p_environment FOR UPDATE;
    RETURN v_wallet;
END $$;

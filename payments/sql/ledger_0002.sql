-- Undoing and reading what payments_post has posted.

-- A deferred trigger runs as the owner, with the session's search path unless it has its own.
ALTER FUNCTION payments_entries_sum_to_zero() SET search_path = public, pg_temp;

-- Posts the opposite of a transfer, and puts back into lots what it took out of them; each transfer
-- is undone once. The caller holds the wallet's lock.
--
-- A debt that was repaid in the meantime cannot be forgiven: what had repaid it comes back as bonus
-- coins without value, in a lot of their own, for good.
--
-- Raises where the transfer had granted coins: they may be spent. What is left of them is taken back
-- by a transfer with another code.
CREATE FUNCTION payments_reverse(
    p_original uuid, p_transfer uuid, p_code text, p_reference text, p_event_at timestamptz,
    p_now timestamptz
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_original payments_transfer;
    v_wallet payments_wallet;
    v_repaid bigint;
    v_accounts text[];
    v_amounts bigint[];
BEGIN
    SELECT * INTO STRICT v_original FROM payments_transfer WHERE id = p_original;
    IF EXISTS (SELECT FROM payments_lot WHERE transfer_id = p_original) THEN
        RAISE EXCEPTION 'transfer % granted coins and cannot be reversed', p_original
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    SELECT * INTO STRICT v_wallet FROM payments_wallet
    WHERE viewer_id = v_original.viewer_id AND environment = v_original.environment FOR UPDATE;

    SELECT greatest(coalesce(sum(-amount_coins), 0) + v_wallet.debt_coins, 0) INTO v_repaid
    FROM payments_entry WHERE transfer_id = p_original AND account = 'debt';
    SELECT array_agg(account), array_agg(amount) INTO v_accounts, v_amounts
    FROM (
        SELECT account, sum(amount)::bigint AS amount
        FROM (
            SELECT account, -amount_coins FROM payments_entry WHERE transfer_id = p_original
            UNION ALL VALUES ('debt', -v_repaid), ('bonus', v_repaid)
        ) AS side(account, amount)
        GROUP BY account
    ) AS summed;

    PERFORM payments_post(
        p_transfer, v_wallet.viewer_id, v_wallet.id, v_wallet.environment, p_code, p_reference,
        v_accounts, v_amounts, p_event_at, p_now);
    UPDATE payments_transfer SET reverses_id = p_original WHERE id = p_transfer;
    PERFORM payments_return_to_lots(p_original, p_transfer, p_now);
    IF v_repaid > 0 THEN
        INSERT INTO payments_lot
            (id, wallet_id, environment, kind, origin, transfer_id, granted_coins,
             remaining_coins, value_micros, remaining_value_micros, granted_at, expires_at)
        VALUES (uuidv7(), v_wallet.id, v_wallet.environment, 'bonus', 'debt_returned', p_transfer,
                v_repaid, v_repaid, 0, 0, p_now, NULL);
    END IF;
END $$;

-- The coins of an account at a moment, as its entries have it: a viewer's, or with p_viewer NULL the
-- house's, which is summed.
CREATE FUNCTION payments_balance(
    p_account text, p_viewer uuid, p_environment text, p_at timestamptz
) RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(entry.amount_coins), 0)::bigint
    FROM payments_entry entry LEFT JOIN payments_wallet wallet ON wallet.id = entry.wallet_id
    WHERE entry.account = p_account AND entry.environment = p_environment
      AND wallet.viewer_id IS NOT DISTINCT FROM p_viewer AND entry.created_at <= p_at;
$$;

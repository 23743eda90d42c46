-- Posts one transfer: its row, one entry per account that moves, and the wallet's new balances.
-- The caller has locked the wallet and chosen the transfer's id. Accounts appear once each; zero
-- amounts leave no entry.
--
-- With p_spent_on, what leaves the wallet is also what the viewer has spent on that day, which is not
-- before the day that the wallet is at.
DROP FUNCTION payments_post;

CREATE FUNCTION payments_post(
    p_transfer uuid, p_viewer uuid, p_wallet uuid, p_environment text, p_code text, p_reference text,
    p_accounts text[], p_amounts bigint[], p_event_at timestamptz, p_now timestamptz,
    p_spent_on date DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_paid bigint := coalesce(p_amounts[array_position(p_accounts, 'paid')], 0);
    v_bonus bigint := coalesce(p_amounts[array_position(p_accounts, 'bonus')], 0);
    v_debt bigint := coalesce(p_amounts[array_position(p_accounts, 'debt')], 0);
    v_wallet payments_wallet;
BEGIN
    UPDATE payments_wallet SET
        paid_coins = paid_coins + v_paid,
        paid_sequence = paid_sequence + (v_paid <> 0)::int,
        bonus_coins = bonus_coins + v_bonus,
        bonus_sequence = bonus_sequence + (v_bonus <> 0)::int,
        debt_coins = debt_coins + v_debt,
        debt_sequence = debt_sequence + (v_debt <> 0)::int,
        spent_on = coalesce(p_spent_on, spent_on),
        spent_coins = CASE
            WHEN p_spent_on IS NULL THEN spent_coins
            WHEN p_spent_on = spent_on THEN spent_coins - v_paid - v_bonus
            ELSE -v_paid - v_bonus END
    WHERE id = p_wallet AND environment = p_environment
    RETURNING * INTO STRICT v_wallet;

    INSERT INTO payments_transfer
        (id, viewer_id, environment, code, reference, event_at, created_at)
    VALUES (p_transfer, p_viewer, p_environment, p_code, p_reference, p_event_at, p_now);

    INSERT INTO payments_entry
        (id, transfer_id, wallet_id, environment, account, amount_coins,
         balance_after_coins, sequence, created_at)
    SELECT uuidv7(), p_transfer,
        CASE WHEN side.account IN ('paid', 'bonus', 'debt') THEN p_wallet END,
        p_environment, side.account, side.amount,
        CASE side.account WHEN 'paid' THEN v_wallet.paid_coins
                          WHEN 'bonus' THEN v_wallet.bonus_coins
                          WHEN 'debt' THEN v_wallet.debt_coins END,
        CASE side.account WHEN 'paid' THEN v_wallet.paid_sequence
                          WHEN 'bonus' THEN v_wallet.bonus_sequence
                          WHEN 'debt' THEN v_wallet.debt_sequence END,
        p_now
    FROM unnest(p_accounts, p_amounts) AS side(account, amount)
    WHERE side.amount <> 0;
END $$;

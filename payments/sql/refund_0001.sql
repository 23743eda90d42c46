-- Refunds, chargebacks and their reversals: facts are kept as they come, in whatever order, and the
-- wallet is then brought to where these facts put it.
--
-- Lock order: the store transaction, the purchase, the wallet.

-- Everybody who books something about a store transaction takes this first, whether there is a row of
-- it yet or not. Held until the transaction ends.
CREATE FUNCTION payments_lock_store_transaction(
    p_provider text, p_environment text, p_transaction_id text
) RETURNS void
LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(
        hashtextextended(p_provider || ' ' || p_environment || ' ' || p_transaction_id, 4));
$$;

-- Keeps what is heard of a refund, and lets it take effect as far as it stands.
--
-- p_refunded_at and p_reversed_at are the store's own times of the two events, NULL for what is not heard
-- of; the later of them counts, so that a refund which is reversed and then happens again is a refund.
-- p_amount is gross, NULL for all that was paid; that of the latest refund counts, of two at one moment the
-- larger. Safe to repeat, in any order. Returns {"refund_id", "outcome": "taken" | "reversed" | "waiting"}:
-- waiting is for a purchase that is not booked yet, or for the refund itself.
CREATE FUNCTION payments_record_refund(
    p_provider text, p_environment text, p_transaction_id text, p_refund_id text, p_origin text,
    p_amount bigint, p_reason text, p_operator integer, p_refunded_at timestamptz,
    p_reversed_at timestamptz, p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_purchase uuid;
    v_known payments_refund;
    v_refund payments_refund;
BEGIN
    PERFORM payments_lock_store_transaction(p_provider, p_environment, p_transaction_id);
    SELECT id INTO v_purchase FROM payments_purchase
    WHERE provider = p_provider AND environment = p_environment
      AND transaction_id = p_transaction_id;
    SELECT * INTO v_known FROM payments_refund
    WHERE provider = p_provider AND environment = p_environment
      AND transaction_id = p_transaction_id AND refund_id = p_refund_id;

    IF v_known.id IS NULL THEN
        INSERT INTO payments_refund
            (id, provider, environment, transaction_id, refund_id, purchase_id, origin,
             amount_micros, reason, refunded_at, reversed_at, asked_by_id, created_at)
        VALUES (uuidv7(), p_provider, p_environment, p_transaction_id, p_refund_id, v_purchase,
                p_origin, p_amount, left(p_reason, 500), p_refunded_at, p_reversed_at, p_operator,
                p_now)
        RETURNING * INTO STRICT v_refund;
    ELSE
        UPDATE payments_refund SET
            refunded_at = greatest(refunded_at, p_refunded_at),
            reversed_at = greatest(reversed_at, p_reversed_at)
        WHERE id = v_known.id;
        -- What the latest refund says of amount and cause goes before all else.
        IF p_refunded_at > coalesce(v_known.refunded_at, '-infinity')
        OR (p_refunded_at = v_known.refunded_at
            AND coalesce(p_amount, 'infinity'::numeric)
                > coalesce(v_known.amount_micros, 'infinity'::numeric)) THEN
            UPDATE payments_refund SET
                origin = p_origin, amount_micros = p_amount, reason = left(p_reason, 500),
                asked_by_id = coalesce(p_operator, asked_by_id)
            WHERE id = v_known.id;
        END IF;
        SELECT * INTO STRICT v_refund FROM payments_refund WHERE id = v_known.id;
    END IF;

    IF v_purchase IS NOT NULL THEN
        PERFORM payments_settle_refunds(v_purchase, p_now);
        SELECT * INTO STRICT v_refund FROM payments_refund WHERE id = v_refund.id;
    END IF;
    RETURN jsonb_build_object(
        'refund_id', v_refund.id,
        'outcome', CASE WHEN v_refund.booking_id IS NOT NULL THEN 'taken'
                        WHEN v_purchase IS NOT NULL AND v_refund.refunded_at IS NOT NULL
                            THEN 'reversed'
                        ELSE 'waiting' END);
END $$;

-- Whether a refund stands by its facts: it happened, and was not reversed since.
CREATE FUNCTION payments_refund_stands(p_refund payments_refund) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(p_refund.refunded_at > coalesce(p_refund.reversed_at, '-infinity'), false);
$$;

-- Brings a purchase's wallet to where the facts of its refunds put it.
--
-- A refund that has taken something and does not stand any more, or not with that amount, gives it back; so
-- do those that took something after it, the latest first, and then those that stand take anew.
CREATE FUNCTION payments_settle_refunds(p_purchase uuid, p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_purchase payments_purchase;
    v_wallet uuid;
    v_before uuid;
    v_id uuid;
BEGIN
    SELECT * INTO STRICT v_purchase FROM payments_purchase WHERE id = p_purchase FOR UPDATE;
    v_wallet := payments_lock_wallet(v_purchase.viewer_id, v_purchase.environment, p_now);
    v_before := uuidv7();
    UPDATE payments_refund SET purchase_id = p_purchase
    WHERE provider = v_purchase.provider AND environment = v_purchase.environment
      AND transaction_id = v_purchase.transaction_id AND purchase_id IS NULL;

    FOR v_id IN
        SELECT booking_id FROM payments_refund
        WHERE purchase_id = p_purchase AND booking_id >= (
            SELECT refund.booking_id
            FROM payments_refund refund JOIN payments_refundbooking booking
                ON booking.id = refund.booking_id
            WHERE refund.purchase_id = p_purchase
              AND (NOT payments_refund_stands(refund)
                   OR booking.asked_micros IS DISTINCT FROM refund.amount_micros)
            ORDER BY refund.booking_id LIMIT 1)
        ORDER BY booking_id DESC
    LOOP
        PERFORM payments_undo_refund(v_id, p_now);
    END LOOP;
    FOR v_id IN
        SELECT id FROM payments_refund refund
        WHERE purchase_id = p_purchase AND booking_id IS NULL AND payments_refund_stands(refund)
        ORDER BY refunded_at, refund_id
    LOOP
        PERFORM payments_claw_back(v_id, p_now);
    END LOOP;
    PERFORM payments_repay_again(v_wallet, v_before, p_now);
END $$;

-- What had repaid a debt that is no more came back as bonus coins. Where something is owed again, or
-- still, these coins repay it, before any of them can be spent.
CREATE FUNCTION payments_repay_again(p_wallet uuid, p_since uuid, p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_wallet payments_wallet;
    v_lot payments_lot;
    v_coins bigint;
    v_transfer uuid;
BEGIN
    FOR v_lot IN
        SELECT * FROM payments_lot
        WHERE wallet_id = p_wallet AND origin = 'debt_returned' AND id > p_since
          AND remaining_coins > 0
        ORDER BY id
    LOOP
        SELECT * INTO STRICT v_wallet FROM payments_wallet WHERE id = p_wallet;
        v_coins := least(v_lot.remaining_coins, -v_wallet.debt_coins);
        EXIT WHEN v_coins = 0;
        v_transfer := uuidv7();
        PERFORM payments_post(
            v_transfer, v_wallet.viewer_id, p_wallet, v_wallet.environment, 'repayment',
            v_lot.id::text, ARRAY['bonus', 'debt'], ARRAY[-v_coins, v_coins], p_now, p_now);
        PERFORM payments_take_from_lot(v_lot.id, v_coins, v_transfer, p_now);
    END LOOP;
END $$;

-- Takes back what the refunded part of a purchase had bought, and at most that: first what is left in
-- its lots, then, newest first, unlocks that it paid for and nobody has played; what was spent for good
-- becomes a debt. Coins that had lapsed are not owed.
--
-- Parts are cumulative, so that refunds of parts add up: after g of the gross G has gone back,
-- floor(x × g ÷ G) of every figure x has, and all of it with the last.
CREATE FUNCTION payments_claw_back(p_refund uuid, p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_refund payments_refund;
    v_purchase payments_purchase;
    v_before record;
    v_booking uuid := uuidv7();
    v_transfer uuid;
    v_gross bigint;
    v_due bigint;
    v_taken record;
    v_owed record;
    v_net bigint;
BEGIN
    SELECT * INTO STRICT v_refund FROM payments_refund WHERE id = p_refund;
    SELECT * INTO STRICT v_purchase FROM payments_purchase WHERE id = v_refund.purchase_id;
    SELECT coalesce(sum(gross_micros), 0) AS gross, coalesce(sum(tax_micros), 0) AS tax,
           coalesce(sum(fee_micros), 0) AS fee, coalesce(sum(net_micros), 0) AS net,
           coalesce(sum(due_coins), 0) AS due
    INTO v_before FROM payments_refundbooking WHERE purchase_id = v_purchase.id;
    v_gross := least(
        v_before.gross + coalesce(v_refund.amount_micros, v_purchase.gross_micros),
        v_purchase.gross_micros);
    v_due := payments_refunded_part(
        v_purchase.paid_coins + v_purchase.bonus_coins, v_gross, v_purchase.gross_micros)
        - v_before.due;
    v_net := payments_refunded_part(v_purchase.net_micros, v_gross, v_purchase.gross_micros)
        - v_before.net;

    PERFORM payments_undo_unplayed(v_purchase, v_due, v_booking, p_now);
    v_transfer := uuidv7();  -- after the reversals' own, so that a statement in id order reads well
    SELECT * INTO STRICT v_taken FROM payments_empty_lots(
        v_purchase.transfer_id, v_due, v_transfer, p_now);
    SELECT * INTO STRICT v_owed FROM payments_disown_spends(
        v_purchase.transfer_id, v_due - v_taken.paid - v_taken.bonus, v_transfer, p_now);
    IF v_taken.paid + v_taken.bonus + v_owed.coins = 0 THEN
        v_transfer := NULL;
    ELSE
        PERFORM payments_post(
            v_transfer, v_purchase.viewer_id,
            payments_lock_wallet(v_purchase.viewer_id, v_purchase.environment, p_now),
            v_purchase.environment, 'refund', v_booking::text,
            ARRAY['paid', 'bonus', 'debt', 'refunds'],
            ARRAY[-v_taken.paid, -v_taken.bonus, -v_owed.coins,
                  v_taken.paid + v_taken.bonus + v_owed.coins],
            v_refund.refunded_at, p_now);
    END IF;
    INSERT INTO payments_refundbooking
        (id, refund_id, purchase_id, transfer_id, gross_micros, tax_micros, fee_micros, net_micros,
         due_coins, taken_coins, debt_coins, deferred_micros, recognised_micros,
         difference_micros, asked_micros, created_at)
    VALUES (v_booking, p_refund, v_purchase.id, v_transfer, v_gross - v_before.gross,
            payments_refunded_part(v_purchase.tax_micros, v_gross, v_purchase.gross_micros)
                - v_before.tax,
            payments_refunded_part(v_purchase.fee_micros, v_gross, v_purchase.gross_micros)
                - v_before.fee,
            v_net, v_due, v_taken.paid + v_taken.bonus, v_owed.coins, v_taken.value, v_owed.value,
            v_net - v_taken.value - v_owed.value, v_refund.amount_micros, p_now);
    UPDATE payments_refund SET booking_id = v_booking WHERE id = p_refund;
END $$;

-- How much of p_whole goes back with p_refunded of p_gross; all of it with all, and of what was free.
CREATE FUNCTION payments_refunded_part(p_whole bigint, p_refunded bigint, p_gross bigint)
RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_refunded = p_gross THEN p_whole
                ELSE div(p_whole::numeric * p_refunded, p_gross::numeric)::bigint END;
$$;

-- Undoes unlocks that a purchase paid for and that were never played, newest first, until its lots hold
-- p_due coins. Playing marks the entitlement's row, so what is locked here cannot be played meanwhile.
--
-- One that coins of other lots helped to pay for, which have lapsed since, stays: undoing it would take
-- those from the viewer, too.
--
-- Newest is the entitlement drawn last under the wallet's lock; an unlock's own id is drawn before it.
-- Playing takes these rows in the same order.
CREATE FUNCTION payments_undo_unplayed(
    p_purchase payments_purchase, p_due bigint, p_booking uuid, p_now timestamptz
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_left bigint;
    v_unlock record;
BEGIN
    SELECT sum(remaining_coins) INTO STRICT v_left FROM payments_lot
    WHERE transfer_id = p_purchase.transfer_id;
    FOR v_unlock IN
        SELECT unlock.id, unlock.entitlement_id, sum(-movement.coins) AS coins
        FROM payments_lot lot
        JOIN payments_lotmovement movement ON movement.lot_id = lot.id
        JOIN payments_unlock unlock ON unlock.transfer_id = movement.transfer_id
        JOIN payments_entitlement entitlement ON entitlement.id = unlock.entitlement_id
        WHERE lot.transfer_id = p_purchase.transfer_id
          AND entitlement.closed_at IS NULL AND entitlement.first_played_at IS NULL
          AND NOT EXISTS (
              SELECT FROM payments_unlockreversal WHERE unlock_id = unlock.id)
          AND NOT EXISTS (
              SELECT FROM payments_lotmovement part JOIN payments_lot source
                  ON source.id = part.lot_id
              WHERE part.transfer_id = unlock.transfer_id AND source.expires_at <= p_now)
        GROUP BY unlock.id ORDER BY unlock.entitlement_id DESC
    LOOP
        EXIT WHEN v_left >= p_due;
        PERFORM FROM payments_entitlement
        WHERE id = v_unlock.entitlement_id AND first_played_at IS NULL FOR UPDATE;
        CONTINUE WHEN NOT FOUND;
        PERFORM payments_reverse_unlock(v_unlock.id, p_booking, NULL, '', p_now);
        v_left := v_left + v_unlock.coins;
    END LOOP;
END $$;

-- Takes up to p_coins out of the lots that a transfer granted, in the order in which they are spent.
CREATE FUNCTION payments_empty_lots(
    p_granted_by uuid, p_coins bigint, p_transfer uuid, p_now timestamptz,
    OUT paid bigint, OUT bonus bigint, OUT value bigint
)
LANGUAGE plpgsql AS $$
DECLARE
    v_lot payments_lot;
    v_take bigint;
BEGIN
    paid := 0; bonus := 0; value := 0;
    FOR v_lot IN
        SELECT * FROM payments_lot WHERE transfer_id = p_granted_by AND remaining_coins > 0
        ORDER BY kind = 'paid', expires_at NULLS LAST, granted_at, id
    LOOP
        v_take := least(v_lot.remaining_coins, p_coins - paid - bonus);
        EXIT WHEN v_take <= 0;
        value := value + payments_take_from_lot(v_lot.id, v_take, p_transfer, p_now);
        paid := paid + CASE v_lot.kind WHEN 'paid' THEN v_take ELSE 0 END;
        bonus := bonus + CASE v_lot.kind WHEN 'bonus' THEN v_take ELSE 0 END;
    END LOOP;
END $$;

-- Takes up to p_coins' worth of revenue back from unlocks that were paid with a transfer's coins, newest
-- first: the viewer keeps the episodes and owes the coins. Of a lot's part in an unlock, n of c coins
-- bring floor(value × n ÷ c) back, cumulatively.
CREATE FUNCTION payments_disown_spends(
    p_granted_by uuid, p_coins bigint, p_transfer uuid, p_now timestamptz,
    OUT coins bigint, OUT value bigint
)
LANGUAGE plpgsql AS $$
DECLARE
    v_spend record;
    v_take bigint;
    v_value bigint;
BEGIN
    coins := 0; value := 0;
    FOR v_spend IN
        SELECT unlock.id AS unlock_id, lot.id AS lot_id, -movement.coins AS spent,
               -movement.value_micros AS worth,
               coalesce((
                   SELECT sum(-correction.coins) FROM payments_unlockcorrection correction
                   WHERE correction.unlock_id = unlock.id AND correction.lot_id = lot.id
               ), 0) AS gone
        FROM payments_lot lot
        JOIN payments_lotmovement movement ON movement.lot_id = lot.id
        JOIN payments_unlock unlock ON unlock.transfer_id = movement.transfer_id
        WHERE lot.transfer_id = p_granted_by
          AND NOT EXISTS (
              SELECT FROM payments_unlockreversal WHERE unlock_id = unlock.id)
        ORDER BY unlock.id DESC, lot.kind, lot.id
    LOOP
        EXIT WHEN coins >= p_coins;
        v_take := least(v_spend.spent - v_spend.gone, p_coins - coins);
        CONTINUE WHEN v_take = 0;
        v_value := div(v_spend.worth * (v_spend.gone + v_take), v_spend.spent)
            - div(v_spend.worth * v_spend.gone, v_spend.spent);
        INSERT INTO payments_unlockcorrection
            (id, unlock_id, lot_id, transfer_id, coins, value_micros, attribution_micros,
             created_at)
        VALUES (uuidv7(), v_spend.unlock_id, v_spend.lot_id, p_transfer, -v_take, -v_value, 0,
                p_now);
        coins := coins + v_take;
        value := value + v_value;
    END LOOP;
END $$;

-- Gives back what a refund had taken, and opens again what it had undone, where nothing else has
-- happened to those coins and that episode since.
CREATE FUNCTION payments_undo_refund(p_booking uuid, p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_booking payments_refundbooking;
    v_refund payments_refund;
    v_transfer uuid;
    v_reversal uuid;
BEGIN
    SELECT * INTO STRICT v_booking FROM payments_refundbooking WHERE id = p_booking;
    SELECT * INTO STRICT v_refund FROM payments_refund WHERE id = v_booking.refund_id;
    IF v_booking.transfer_id IS NOT NULL THEN
        v_transfer := uuidv7();
        PERFORM payments_reverse(
            v_booking.transfer_id, v_transfer, 'refund_reversal', p_booking::text,
            coalesce(v_refund.reversed_at, p_now), p_now);
        INSERT INTO payments_unlockcorrection
            (id, unlock_id, lot_id, transfer_id, coins, value_micros, attribution_micros,
             created_at)
        SELECT uuidv7(), unlock_id, lot_id, v_transfer, -coins, -value_micros,
               -attribution_micros, p_now
        FROM payments_unlockcorrection WHERE transfer_id = v_booking.transfer_id;
    END IF;
    INSERT INTO payments_refundbooking
        (id, refund_id, purchase_id, undoes_id, transfer_id, gross_micros, tax_micros, fee_micros,
         net_micros, due_coins, taken_coins, debt_coins, deferred_micros, recognised_micros,
         difference_micros, created_at)
    SELECT uuidv7(), refund_id, purchase_id, id, v_transfer, -gross_micros, -tax_micros,
           -fee_micros, -net_micros, -due_coins, -taken_coins, -debt_coins, -deferred_micros,
           -recognised_micros, -difference_micros, p_now
    FROM payments_refundbooking WHERE id = p_booking;
    UPDATE payments_refund SET booking_id = NULL WHERE id = v_refund.id;
    FOR v_reversal IN
        SELECT id FROM payments_unlockreversal WHERE booking_id = p_booking ORDER BY id DESC
    LOOP
        PERFORM payments_restore_unlock(v_reversal, p_now);
    END LOOP;
END $$;

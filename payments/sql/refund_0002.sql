-- Refunds of which a store says what part they are, and not what amount.
--
-- Lock order: names of subscriptions, the name of the store transaction, the purchase, wallets by their viewers'
-- ids.

-- What two tellings of one refund are compared by: a part of what was paid comes after every amount, all of it
-- after every part.
CREATE FUNCTION payments_refund_size(p_amount bigint, p_share integer) RETURNS numeric[]
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_share IS NOT NULL THEN ARRAY[1::numeric, p_share]
                WHEN p_amount IS NOT NULL THEN ARRAY[0::numeric, p_amount]
                ELSE ARRAY[2::numeric, 0] END;
$$;

-- The amount of a refund of which its part may be known instead: a micro at least, as a part is never nothing.
CREATE FUNCTION payments_refund_amount(p_refund payments_refund, p_gross bigint) RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN (p_refund).share_parts_per_million IS NULL THEN (p_refund).amount_micros
                ELSE greatest(payments_refunded_part(
                    p_gross, (p_refund).share_parts_per_million, 1000000), 1) END;
$$;

-- Keeps what is heard of a refund, and lets it take effect as far as it stands.
--
-- p_refunded_at and p_reversed_at are the store's own times of the two events, NULL for what is not heard
-- of; the later of them counts, so that a refund which is reversed and then happens again is a refund.
-- p_amount is gross, NULL for all that was paid, or for p_share of a million parts of it where that is given;
-- what the latest refund says counts, of two at one moment the larger. Safe to repeat, in any order. Returns
-- {"refund_id", "outcome": "taken" | "reversed" | "waiting"}: waiting is for a purchase that is not booked yet,
-- or for the refund itself.
CREATE FUNCTION payments_record_refund(
    p_provider text, p_environment text, p_transaction_id text, p_refund_id text, p_origin text,
    p_amount bigint, p_share integer, p_reason text, p_operator integer, p_refunded_at timestamptz,
    p_reversed_at timestamptz, p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_purchase uuid;
    v_pass uuid;
    v_known payments_refund;
    v_refund payments_refund;
BEGIN
    PERFORM payments_lock_names(p_provider, p_environment, '{}', ARRAY[p_transaction_id]);
    SELECT id INTO v_purchase FROM payments_purchase
    WHERE provider = p_provider AND environment = p_environment
      AND transaction_id = p_transaction_id;
    SELECT id INTO v_pass FROM payments_passpurchase
    WHERE provider = p_provider AND environment = p_environment
      AND transaction_id = p_transaction_id;
    SELECT * INTO v_known FROM payments_refund
    WHERE provider = p_provider AND environment = p_environment
      AND transaction_id = p_transaction_id AND refund_id = p_refund_id;

    IF v_known.id IS NULL THEN
        INSERT INTO payments_refund
            (id, provider, environment, transaction_id, refund_id, purchase_id, pass_purchase_id,
             origin, amount_micros, share_parts_per_million, reason, refunded_at, reversed_at,
             asked_by_id, created_at)
        VALUES (uuidv7(), p_provider, p_environment, p_transaction_id, p_refund_id, v_purchase,
                v_pass, p_origin, p_amount, p_share, left(p_reason, 500), p_refunded_at,
                p_reversed_at, p_operator, p_now)
        RETURNING * INTO STRICT v_refund;
    ELSE
        UPDATE payments_refund SET
            refunded_at = greatest(refunded_at, p_refunded_at),
            reversed_at = greatest(reversed_at, p_reversed_at)
        WHERE id = v_known.id;
        -- What the latest refund says of amount and cause goes before all else; of two at one moment, or of two
        -- reversals of one that is not known yet, that of the larger.
        IF p_refunded_at > coalesce(v_known.refunded_at, '-infinity')
        OR (p_refunded_at IS NOT DISTINCT FROM v_known.refunded_at
            AND payments_refund_size(p_amount, p_share)
                > payments_refund_size(v_known.amount_micros, v_known.share_parts_per_million)) THEN
            UPDATE payments_refund SET
                amount_micros = p_amount, share_parts_per_million = p_share,
                -- A store that tells of what an operator asked it for does not take their word's place.
                origin = CASE origin WHEN 'operator' THEN origin ELSE p_origin END,
                reason = CASE origin WHEN 'operator' THEN reason ELSE left(p_reason, 500) END,
                asked_by_id = coalesce(p_operator, asked_by_id)
            WHERE id = v_known.id;
        END IF;
        SELECT * INTO STRICT v_refund FROM payments_refund WHERE id = v_known.id;
    END IF;

    IF v_purchase IS NOT NULL OR v_pass IS NOT NULL THEN
        IF v_purchase IS NOT NULL THEN
            PERFORM payments_settle_refunds(v_purchase, p_now);
        ELSE
            PERFORM payments_settle_pass_refunds(v_pass, p_now);
        END IF;
        SELECT * INTO STRICT v_refund FROM payments_refund WHERE id = v_refund.id;
    END IF;
    RETURN jsonb_build_object(
        'refund_id', v_refund.id,
        'outcome', CASE WHEN coalesce(v_refund.booking_id, v_refund.pass_booking_id) IS NOT NULL
                            THEN 'taken'
                        WHEN coalesce(v_purchase, v_pass) IS NOT NULL
                         AND v_refund.refunded_at IS NOT NULL
                            THEN 'reversed'
                        ELSE 'waiting' END);
END $$;

-- Brings a purchase's wallet to where the facts of its refunds put it.
--
-- A refund that has taken something and does not stand any more, or not with that amount, gives it back; so
-- do those that took something after it, the latest first, and then those that stand take anew.
CREATE OR REPLACE FUNCTION payments_settle_refunds(p_purchase uuid, p_now timestamptz) RETURNS void
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
    UPDATE payments_refund SET
        purchase_id = p_purchase,
        amount_micros = payments_refund_amount(payments_refund, v_purchase.gross_micros)
    WHERE provider = v_purchase.provider AND environment = v_purchase.environment
      AND transaction_id = v_purchase.transaction_id
      AND (purchase_id IS NULL OR share_parts_per_million IS NOT NULL);

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

-- Brings a pass to where the facts of its refunds put it, as payments_settle_refunds does coins.
--
-- Parts are cumulative, so that refunds of parts add up. When all of the money has gone back, what is left of
-- the cover goes, and with it what was opened under it; when that did not stand, the viewer is covered again
-- from now to the pass's end.
CREATE OR REPLACE FUNCTION payments_settle_pass_refunds(p_purchase uuid, p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_purchase payments_passpurchase;
    v_id uuid;
BEGIN
    SELECT * INTO STRICT v_purchase FROM payments_passpurchase WHERE id = p_purchase FOR UPDATE;
    PERFORM payments_lock_wallets(
        ARRAY[v_purchase.viewer_id] || ARRAY(
            SELECT viewer_id FROM payments_subscription WHERE id = v_purchase.subscription_id),
        v_purchase.environment, p_now);
    UPDATE payments_refund SET
        pass_purchase_id = p_purchase,
        amount_micros = payments_refund_amount(payments_refund, v_purchase.gross_micros)
    WHERE provider = v_purchase.provider AND environment = v_purchase.environment
      AND transaction_id = v_purchase.transaction_id
      AND (pass_purchase_id IS NULL OR share_parts_per_million IS NOT NULL);

    FOR v_id IN
        SELECT pass_booking_id FROM payments_refund
        WHERE pass_purchase_id = p_purchase AND pass_booking_id >= (
            SELECT refund.pass_booking_id
            FROM payments_refund refund JOIN payments_passrefundbooking booking
                ON booking.id = refund.pass_booking_id
            WHERE refund.pass_purchase_id = p_purchase
              AND (NOT payments_refund_stands(refund)
                   OR booking.asked_micros IS DISTINCT FROM refund.amount_micros)
            ORDER BY refund.pass_booking_id LIMIT 1)
        ORDER BY pass_booking_id DESC
    LOOP
        INSERT INTO payments_passrefundbooking
            (id, refund_id, purchase_id, undoes_id, gross_micros, tax_micros, fee_micros,
             net_micros, created_at)
        SELECT uuidv7(), refund_id, purchase_id, id, -gross_micros, -tax_micros, -fee_micros,
               -net_micros, p_now
        FROM payments_passrefundbooking WHERE id = v_id;
        UPDATE payments_refund SET pass_booking_id = NULL WHERE pass_booking_id = v_id;
    END LOOP;
    FOR v_id IN
        SELECT id FROM payments_refund refund
        WHERE pass_purchase_id = p_purchase AND pass_booking_id IS NULL
          AND payments_refund_stands(refund)
        ORDER BY refunded_at, refund_id
    LOOP
        PERFORM payments_refund_pass(v_purchase, v_id, p_now);
    END LOOP;
    PERFORM payments_cover_as_paid(v_purchase, p_now);
END $$;

-- Refunds of passes, beside those of coins: the same facts, in whatever order, and what they do to cover.
--
-- Lock order: the store transaction, the purchase, the wallet.

-- Keeps what is heard of a refund, and lets it take effect as far as it stands.
--
-- p_refunded_at and p_reversed_at are the store's own times of the two events, NULL for what is not heard
-- of; the later of them counts, so that a refund which is reversed and then happens again is a refund.
-- p_amount is gross, NULL for all that was paid; that of the latest refund counts, of two at one moment the
-- larger. Safe to repeat, in any order. Returns {"refund_id", "outcome": "taken" | "reversed" | "waiting"}:
-- waiting is for a purchase that is not booked yet, or for the refund itself.
CREATE OR REPLACE FUNCTION payments_record_refund(
    p_provider text, p_environment text, p_transaction_id text, p_refund_id text, p_origin text,
    p_amount bigint, p_reason text, p_operator integer, p_refunded_at timestamptz,
    p_reversed_at timestamptz, p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_purchase uuid;
    v_pass uuid;
    v_known payments_refund;
    v_refund payments_refund;
BEGIN
    PERFORM payments_lock_store_transaction(p_provider, p_environment, p_transaction_id);
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
             origin, amount_micros, reason, refunded_at, reversed_at, asked_by_id, created_at)
        VALUES (uuidv7(), p_provider, p_environment, p_transaction_id, p_refund_id, v_purchase,
                v_pass, p_origin, p_amount, left(p_reason, 500), p_refunded_at, p_reversed_at,
                p_operator, p_now)
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

-- Brings a pass to where the facts of its refunds put it, as payments_settle_refunds does coins.
--
-- Parts are cumulative, so that refunds of parts add up. When all of the money has gone back, what is left of
-- the cover goes, and with it what was opened under it; when that did not stand, the viewer is covered again
-- from now to the pass's end.
CREATE FUNCTION payments_settle_pass_refunds(p_purchase uuid, p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_purchase payments_passpurchase;
    v_id uuid;
BEGIN
    SELECT * INTO STRICT v_purchase FROM payments_passpurchase WHERE id = p_purchase FOR UPDATE;
    PERFORM payments_lock_wallet(v_purchase.viewer_id, v_purchase.environment, p_now);
    UPDATE payments_refund SET pass_purchase_id = p_purchase
    WHERE provider = v_purchase.provider AND environment = v_purchase.environment
      AND transaction_id = v_purchase.transaction_id AND pass_purchase_id IS NULL;

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

-- Books the money of one refund that stands.
CREATE FUNCTION payments_refund_pass(
    p_purchase payments_passpurchase, p_refund uuid, p_now timestamptz
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_refund payments_refund;
    v_before record;
    v_booking uuid := uuidv7();
    v_gross bigint;
BEGIN
    SELECT * INTO STRICT v_refund FROM payments_refund WHERE id = p_refund;
    SELECT coalesce(sum(gross_micros), 0) AS gross, coalesce(sum(tax_micros), 0) AS tax,
           coalesce(sum(fee_micros), 0) AS fee, coalesce(sum(net_micros), 0) AS net
    INTO v_before FROM payments_passrefundbooking WHERE purchase_id = p_purchase.id;
    v_gross := least(
        v_before.gross + coalesce(v_refund.amount_micros, p_purchase.gross_micros),
        p_purchase.gross_micros);
    INSERT INTO payments_passrefundbooking
        (id, refund_id, purchase_id, gross_micros, tax_micros, fee_micros, net_micros,
         asked_micros, created_at)
    VALUES (v_booking, p_refund, p_purchase.id, v_gross - v_before.gross,
            payments_refunded_part(p_purchase.tax_micros, v_gross, p_purchase.gross_micros)
                - v_before.tax,
            payments_refunded_part(p_purchase.fee_micros, v_gross, p_purchase.gross_micros)
                - v_before.fee,
            payments_refunded_part(p_purchase.net_micros, v_gross, p_purchase.gross_micros)
                - v_before.net,
            v_refund.amount_micros, p_now);
    UPDATE payments_refund SET pass_booking_id = v_booking WHERE id = p_refund;
END $$;

-- Ends a pass's cover where all of its money has gone back, and gives the rest of it again where it has not.
CREATE FUNCTION payments_cover_as_paid(p_purchase payments_passpurchase, p_now timestamptz)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_cover payments_cover;
    v_last payments_passrefundbooking;
    v_is_refunded boolean;
BEGIN
    SELECT * INTO v_last FROM payments_passrefundbooking
    WHERE purchase_id = p_purchase.id ORDER BY id DESC LIMIT 1;
    SELECT * INTO STRICT v_cover FROM payments_cover
    WHERE id = p_purchase.cover_id
       OR id IN (SELECT cover_id FROM payments_passrefundbooking WHERE purchase_id = p_purchase.id)
    ORDER BY id DESC LIMIT 1;
    SELECT coalesce(sum(gross_micros), 0) = p_purchase.gross_micros AND EXISTS (
        SELECT FROM payments_refund
        WHERE pass_purchase_id = p_purchase.id AND pass_booking_id IS NOT NULL)
    INTO v_is_refunded
    FROM payments_passrefundbooking WHERE purchase_id = p_purchase.id;
    IF p_purchase.ends_at <= p_now OR v_is_refunded = (v_cover.closed_at IS NOT NULL) THEN
        RETURN;
    END IF;
    IF v_is_refunded THEN
        PERFORM payments_close_cover(v_cover.id, p_now);
    ELSE
        UPDATE payments_passrefundbooking SET cover_id = payments_give_cover(
            p_purchase.viewer_id, p_purchase.environment, 'pass',
            p_purchase.provider || ':' || p_purchase.transaction_id || ':' || v_last.id,
            greatest(p_now, p_purchase.starts_at), p_purchase.ends_at, p_now)
        WHERE id = v_last.id;
    END IF;
END $$;

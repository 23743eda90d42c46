-- Credits one verified store transaction to one wallet, once, ever.
--
-- Returns {"outcome": "credited" | "duplicate" | "other_viewer", "purchase_id": ...}, or
-- {"outcome": "intent_used"} when another purchase has had the intent's coins, or {"outcome":
-- "another_product"} when the transaction bought a pass, each with nothing written.
-- The purchase row is the door: its unique key has no viewer in it, so the second caller, whoever it
-- is, waits for the first and then finds it. A refund that was heard of before takes effect at once.
--
-- p_paid and p_bonus are the pack's ordinary coins. Where the intent was made under an offer that holds,
-- the offer's bonus is granted instead of p_bonus, and its place is sold in the same transaction.
-- Lock order: store transaction, intent, purchase, offers, wallet.
CREATE OR REPLACE FUNCTION payments_credit_purchase(
    p_provider text, p_environment text, p_transaction_id text,
    p_viewer uuid, p_intent uuid, p_pack uuid, p_paid bigint, p_bonus bigint,
    p_currency text, p_gross bigint, p_tax bigint, p_fee bigint, p_net bigint,
    p_exchange_rate numeric, p_exchange_source text,
    p_purchased_at timestamptz, p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_purchase uuid := uuidv7();
    v_owner uuid;
    v_wallet uuid;
    v_transfer uuid;
    v_bonus bigint;
    v_paid_value bigint;
BEGIN
    PERFORM payments_lock_store_transaction(p_provider, p_environment, p_transaction_id);
    IF EXISTS (
        SELECT FROM payments_passpurchase
        WHERE provider = p_provider AND environment = p_environment
          AND transaction_id = p_transaction_id
    ) THEN
        RETURN jsonb_build_object('outcome', 'another_product');
    END IF;
    IF p_intent IS NOT NULL THEN
        PERFORM FROM payments_purchaseintent WHERE id = p_intent FOR UPDATE;
        IF EXISTS (
            SELECT FROM payments_purchase
            WHERE intent_id = p_intent
              AND (provider, environment, transaction_id)
                  <> (p_provider, p_environment, p_transaction_id)
        ) THEN
            RETURN jsonb_build_object('outcome', 'intent_used');
        END IF;
    END IF;

    INSERT INTO payments_purchase
        (id, provider, environment, transaction_id, viewer_id, intent_id, pack_id, transfer_id,
         paid_coins, bonus_coins, currency, gross_micros, tax_micros, fee_micros, net_micros,
         exchange_rate, exchange_source, purchased_at, created_at)
    VALUES
        (v_purchase, p_provider, p_environment, p_transaction_id, p_viewer, p_intent, p_pack,
         v_purchase, p_paid, p_bonus, p_currency, p_gross, p_tax, p_fee, p_net,
         p_exchange_rate, p_exchange_source, p_purchased_at, p_now)
    ON CONFLICT (provider, environment, transaction_id) DO NOTHING;
    IF NOT FOUND THEN
        SELECT id, viewer_id INTO STRICT v_purchase, v_owner FROM payments_purchase
        WHERE provider = p_provider AND environment = p_environment
          AND transaction_id = p_transaction_id;
        RETURN jsonb_build_object(
            'outcome', CASE WHEN v_owner = p_viewer THEN 'duplicate' ELSE 'other_viewer' END,
            'purchase_id', v_purchase);
    END IF;

    v_bonus := coalesce(
        payments_sell_offer(
            v_purchase, p_intent, p_viewer, p_environment, p_pack, p_purchased_at, p_now),
        p_bonus);
    v_paid_value := p_net * p_paid / (p_paid + v_bonus);
    v_wallet := payments_lock_wallet(p_viewer, p_environment, p_now);

    -- Drawn under the lock, so that a statement in id order is in ledger order. The purchase held its
    -- own id in the meantime; the foreign key is checked at commit.
    v_transfer := uuidv7();
    UPDATE payments_purchase SET transfer_id = v_transfer, bonus_coins = v_bonus
    WHERE id = v_purchase;
    PERFORM payments_post(
        v_transfer, p_viewer, v_wallet, p_environment, 'purchase', p_provider || ':' || p_transaction_id,
        ARRAY['paid', 'bonus', 'store', 'pack_bonus'], ARRAY[p_paid, v_bonus, -p_paid, -v_bonus],
        p_purchased_at, p_now);

    -- The net price is spread over all coins of the purchase; the bonus lot, spent last in the
    -- division, carries the remainder.
    INSERT INTO payments_lot
        (id, wallet_id, environment, kind, origin, transfer_id, granted_coins, remaining_coins,
         value_micros, remaining_value_micros, granted_at, expires_at)
    SELECT uuidv7(), v_wallet, p_environment, lot.kind, lot.origin, v_transfer,
           lot.coins, lot.coins, lot.value, lot.value, p_now, NULL
    FROM (VALUES ('paid', 'purchase', p_paid, v_paid_value),
                 ('bonus', 'pack_bonus', v_bonus, p_net - v_paid_value))
         AS lot(kind, origin, coins, value)
    WHERE lot.coins > 0;

    PERFORM payments_settle_refunds(v_purchase, p_now);
    RETURN jsonb_build_object('outcome', 'credited', 'purchase_id', v_purchase);
END $$;

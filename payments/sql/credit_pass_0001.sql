-- Gives cover for one verified store transaction that bought a pass, once, ever.
--
-- Returns {"outcome": "credited" | "duplicate" | "other_viewer", "purchase_id": ...}; {"outcome":
-- "intent_used"} when another purchase has had the intent's length, {"outcome": "another_product"} when
-- the transaction bought coins, and {"outcome": "too_far"} when the viewer is covered beyond
-- p_latest_start, each with nothing written.
--
-- The cover begins now or, where the viewer is covered, when that ends: nothing that they have is lost. Where
-- it would reach into a cover that is to come, which a refund of the one before leaves, it begins behind that
-- instead. A refund that was heard of before takes effect at once. Calendar months are those of UTC, and those
-- of passes that follow each other are counted from where the first began: from the 31st of January one lasts
-- to the 28th of February and the next to the 31st of March.
--
-- Lock order: store transaction, intent, wallet.
CREATE FUNCTION payments_credit_pass(
    p_provider text, p_environment text, p_transaction_id text,
    p_viewer uuid, p_intent uuid, p_product uuid, p_months integer, p_days integer,
    p_currency text, p_gross bigint, p_tax bigint, p_fee bigint, p_net bigint,
    p_exchange_rate numeric, p_exchange_source text,
    p_purchased_at timestamptz, p_latest_start timestamptz, p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_purchase payments_passpurchase;
    v_room payments_passpurchase;
    v_cover uuid;
BEGIN
    PERFORM payments_lock_store_transaction(p_provider, p_environment, p_transaction_id);
    SELECT * INTO v_purchase FROM payments_passpurchase
    WHERE provider = p_provider AND environment = p_environment
      AND transaction_id = p_transaction_id;
    IF v_purchase.id IS NOT NULL THEN
        RETURN jsonb_build_object(
            'outcome', CASE WHEN v_purchase.viewer_id = p_viewer THEN 'duplicate'
                            ELSE 'other_viewer' END,
            'purchase_id', v_purchase.id);
    END IF;
    IF EXISTS (
        SELECT FROM payments_purchase
        WHERE provider = p_provider AND environment = p_environment
          AND transaction_id = p_transaction_id
    ) THEN
        RETURN jsonb_build_object('outcome', 'another_product');
    END IF;
    IF p_intent IS NOT NULL THEN
        PERFORM FROM payments_passintent WHERE id = p_intent FOR UPDATE;
        IF EXISTS (SELECT FROM payments_passpurchase WHERE intent_id = p_intent) THEN
            RETURN jsonb_build_object('outcome', 'intent_used');
        END IF;
    END IF;

    PERFORM payments_lock_wallet(p_viewer, p_environment, p_now);
    v_room := payments_room_for_pass(p_viewer, p_environment, p_months, p_days, p_now);
    IF v_room.starts_at > p_latest_start THEN
        RETURN jsonb_build_object('outcome', 'too_far');
    END IF;

    v_cover := payments_give_cover(
        p_viewer, p_environment, 'pass', p_provider || ':' || p_transaction_id, v_room.starts_at,
        v_room.ends_at, p_now);
    -- Drawn under the wallet's lock, as the cover's is.
    v_purchase.id := uuidv7();
    INSERT INTO payments_passpurchase
        (id, provider, environment, transaction_id, viewer_id, intent_id, product_id, cover_id,
         period_months, period_days, currency, gross_micros, tax_micros, fee_micros, net_micros,
         exchange_rate, exchange_source, purchased_at, starts_at, ends_at, anchor_at,
         anchor_months, created_at)
    VALUES
        (v_purchase.id, p_provider, p_environment, p_transaction_id, p_viewer, p_intent,
         p_product, v_cover, p_months, p_days, p_currency, p_gross, p_tax, p_fee, p_net,
         p_exchange_rate, p_exchange_source, p_purchased_at, v_room.starts_at, v_room.ends_at,
         v_room.anchor_at, v_room.anchor_months, p_now);
    PERFORM payments_settle_pass_refunds(v_purchase.id, p_now);
    RETURN jsonb_build_object('outcome', 'credited', 'purchase_id', v_purchase.id);
END $$;

-- The first time from p_now on that no open cover has any of and that is as long as a pass: a row of which
-- starts_at, ends_at and the anchor alone are set. The caller holds the wallet.
CREATE FUNCTION payments_room_for_pass(
    p_viewer uuid, p_environment text, p_months integer, p_days integer, p_now timestamptz
) RETURNS payments_passpurchase
LANGUAGE plpgsql AS $$
DECLARE
    v_room payments_passpurchase :=
        payments_pass_from(p_viewer, p_environment, p_months, p_days, p_now);
    v_cover payments_cover;
BEGIN
    FOR v_cover IN
        SELECT * FROM payments_cover
        WHERE viewer_id = p_viewer AND environment = p_environment AND closed_at IS NULL
          AND ends_at > p_now
        ORDER BY starts_at
    LOOP
        EXIT WHEN v_cover.starts_at >= v_room.ends_at;
        CONTINUE WHEN v_cover.ends_at <= v_room.starts_at;
        v_room := payments_pass_from(
            p_viewer, p_environment, p_months, p_days, v_cover.ends_at);
    END LOOP;
    RETURN v_room;
END $$;

-- The time of a pass that begins at p_starts_at, its months counted on from those of the pass that ends there.
CREATE FUNCTION payments_pass_from(
    p_viewer uuid, p_environment text, p_months integer, p_days integer, p_starts_at timestamptz
) RETURNS payments_passpurchase
LANGUAGE plpgsql AS $$
DECLARE
    v_room payments_passpurchase;
BEGIN
    SELECT before.anchor_at, before.anchor_months INTO v_room.anchor_at, v_room.anchor_months
    FROM payments_passpurchase before JOIN payments_cover cover ON cover.id = before.cover_id
    WHERE before.viewer_id = p_viewer AND before.environment = p_environment
      AND before.ends_at = p_starts_at AND cover.closed_at IS NULL
      AND before.period_months > 0 AND p_months > 0
    ORDER BY before.id DESC LIMIT 1;
    v_room.starts_at := p_starts_at;
    v_room.anchor_at := coalesce(v_room.anchor_at, p_starts_at);
    v_room.anchor_months := coalesce(v_room.anchor_months, 0) + p_months;
    v_room.ends_at := payments_end_of_pass(v_room.anchor_at, v_room.anchor_months, p_days);
    RETURN v_room;
END $$;

-- Where a pass ends that began so many calendar months of UTC, this one's among them, and days after a
-- moment; a day that a month has not is its last.
CREATE FUNCTION payments_end_of_pass(p_from timestamptz, p_months integer, p_days integer)
RETURNS timestamptz
LANGUAGE sql IMMUTABLE AS $$
    SELECT (p_from AT TIME ZONE 'UTC' + make_interval(months => p_months, days => p_days))
           AT TIME ZONE 'UTC';
$$;

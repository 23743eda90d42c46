-- Offers: a place in their stock is kept for a viewer who is about to pay, and sold or given back.
--
-- The rule. A claim is a promise for what is paid before held_until, and its place is kept until
-- kept_until, some time longer, since a store's word of a payment may take a while. What pays while the
-- place is kept gets the offer: paid in time always, paid later as long as the offer itself is not over.
-- A place that is kept no longer goes back, and whoever comes next may have it. Asking again keeps a place for
-- longer, until four holds have gone by since it was taken: nobody keeps one for ever without paying. A payment that is heard of
-- after that gets a place if one is left, and else the pack's ordinary coins: its money is never lost, and
-- the stock is never overrun.
--
-- Of their first top-up a viewer has one: another claim of that kind gives the earlier one back, and the
-- first to be paid is it. A purchase of coins ends it for good, refunded or not; one of a pass does not.
--
-- Lock order: the viewer's offers, the offers' rows in id order, claims. Everything that gates a claim is
-- read after these locks.

-- Locks whatever claiming or selling an offer to a viewer may change; returns the offer's row, of which the
-- counts may change until the end of the transaction by its own hand alone.
CREATE FUNCTION payments_lock_offer(p_offer uuid, p_viewer uuid, p_environment text)
RETURNS payments_offer
LANGUAGE plpgsql AS $$
DECLARE
    v_offer payments_offer;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(p_environment || ' ' || p_viewer, 5));
    PERFORM FROM payments_offer
    WHERE id = p_offer OR id IN (
        SELECT offer_id FROM payments_offerclaim
        WHERE viewer_id = p_viewer AND environment = p_environment
          AND kind = 'first_top_up' AND state = 'held')
    ORDER BY id FOR NO KEY UPDATE;
    SELECT * INTO v_offer FROM payments_offer WHERE id = p_offer;
    RETURN v_offer;
END $$;

-- Whether a viewer has bought coins, but for p_purchase.
CREATE FUNCTION payments_has_topped_up(p_viewer uuid, p_environment text, p_purchase uuid)
RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM payments_purchase
        WHERE viewer_id = p_viewer AND environment = p_environment
          AND id IS DISTINCT FROM p_purchase);
$$;

CREATE FUNCTION payments_offer_is_open(p_offer payments_offer, p_at timestamptz) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT p_offer.is_active AND p_offer.starts_at <= p_at
       AND (p_offer.ends_at IS NULL OR p_offer.ends_at > p_at);
$$;

-- Gives places back. The caller has locked the claims' offers.
CREATE FUNCTION payments_release_claims(p_claims uuid[], p_now timestamptz) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_released integer;
BEGIN
    WITH released AS (
        UPDATE payments_offerclaim SET state = 'released', settled_at = p_now
        WHERE id = ANY(p_claims) AND state = 'held'
        RETURNING offer_id, environment
    ), counted AS (
        SELECT offer_id, count(*) FILTER (WHERE environment = 'production') AS production,
               count(*) FILTER (WHERE environment = 'sandbox') AS sandbox
        FROM released GROUP BY offer_id
    ), returned AS (
        UPDATE payments_offer AS offer SET
            taken_count = offer.taken_count - counted.production,
            sandbox_taken_count = offer.sandbox_taken_count - counted.sandbox
        FROM counted WHERE offer.id = counted.offer_id
    )
    SELECT count(*) INTO STRICT v_released FROM released;
    RETURN v_released;
END $$;

-- Gives back the places of an offer that are kept no longer. The caller has locked the offer.
CREATE FUNCTION payments_release_lapsed(p_offer uuid, p_now timestamptz) RETURNS integer
LANGUAGE sql AS $$
    SELECT payments_release_claims(
        ARRAY(SELECT id FROM payments_offerclaim
              WHERE offer_id = p_offer AND state = 'held' AND kept_until <= p_now
              ORDER BY id), p_now);
$$;

-- Takes a place of an offer that the caller has locked: returns NULL, or why there is none for this viewer.
-- p_purchase is the purchase that it is for, if there is one yet.
CREATE FUNCTION payments_take_place(
    p_offer payments_offer, p_viewer uuid, p_environment text, p_purchase uuid, p_now timestamptz
) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    IF p_offer.kind = 'first_top_up'
    AND payments_has_topped_up(p_viewer, p_environment, p_purchase) THEN
        RETURN 'offer_used';
    END IF;
    IF p_offer.per_viewer_limit <= (
        SELECT count(*) FROM payments_offerclaim
        WHERE offer_id = p_offer.id AND viewer_id = p_viewer AND environment = p_environment
          AND state <> 'released'
    ) THEN
        RETURN 'offer_used';
    END IF;
    UPDATE payments_offer SET
        taken_count = taken_count + (p_environment = 'production')::int,
        sandbox_taken_count = sandbox_taken_count + (p_environment = 'sandbox')::int
    WHERE id = p_offer.id
      AND (stock IS NULL
           OR stock > CASE p_environment WHEN 'sandbox' THEN sandbox_taken_count
                                         ELSE taken_count END);
    IF NOT FOUND THEN
        RETURN 'offer_sold_out';
    END IF;
    IF p_offer.kind = 'first_top_up' THEN
        PERFORM payments_release_claims(
            ARRAY(SELECT id FROM payments_offerclaim
                  WHERE viewer_id = p_viewer AND environment = p_environment
                    AND kind = 'first_top_up' AND state = 'held'
                  ORDER BY id), p_now);
    END IF;
    RETURN NULL;
END $$;

-- Keeps the place that a viewer has of an open offer for longer, and with the better of two bonuses; returns
-- the claim as it stands then. It is kept for four holds at most from when it was taken, and a first top-up no
-- longer than it is once the viewer has bought coins.
CREATE FUNCTION payments_keep_place(
    p_offer payments_offer, p_claim payments_offerclaim, p_hold interval, p_grace interval,
    p_now timestamptz
) RETURNS payments_offerclaim
LANGUAGE plpgsql AS $$
DECLARE
    v_held_until timestamptz := least(p_now + p_hold, p_claim.created_at + 4 * p_hold);
    v_claim payments_offerclaim;
BEGIN
    IF p_claim.kind = 'first_top_up'
    AND payments_has_topped_up(p_claim.viewer_id, p_claim.environment, NULL) THEN
        RETURN p_claim;
    END IF;
    UPDATE payments_offerclaim SET
        held_until = greatest(held_until, v_held_until),
        kept_until = greatest(kept_until, v_held_until + p_grace),
        bonus_coins = greatest(bonus_coins, p_offer.bonus_coins)
    WHERE id = p_claim.id
    RETURNING * INTO STRICT v_claim;
    RETURN v_claim;
END $$;

-- Gives up a place that cannot be kept for longer, so that the viewer may take another: returns NULL, or why
-- there is none. A payment may be on its way, so it is given up for another alone.
CREATE FUNCTION payments_give_up_place(
    p_claim payments_offerclaim, p_now timestamptz
) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    IF p_claim.kind = 'first_top_up'
    AND payments_has_topped_up(p_claim.viewer_id, p_claim.environment, NULL) THEN
        RETURN 'offer_used';
    END IF;
    IF EXISTS (
        SELECT FROM payments_offer
        WHERE id = p_claim.offer_id
          AND stock <= CASE p_claim.environment WHEN 'sandbox' THEN sandbox_taken_count
                                                ELSE taken_count END
    ) THEN
        RETURN 'offer_sold_out';
    END IF;
    PERFORM payments_release_claims(ARRAY[p_claim.id], p_now);
    RETURN NULL;
END $$;

-- Keeps a place of an offer for a viewer who is about to pay.
--
-- Returns {"outcome": "held", "claim_id", "bonus_coins", "held_until"}, or with nothing taken {"outcome":
-- "offer_unknown" | "offer_not_yet" | "offer_over" | "offer_sold_out" | "offer_used"}. A viewer who has a
-- place of it already keeps that, as payments_keep_place has it. When it cannot be kept for longer, the viewer is
-- as anybody else who comes: with another place if one is left.
CREATE FUNCTION payments_claim_offer(
    p_offer uuid, p_viewer uuid, p_environment text, p_hold_seconds integer,
    p_grace_seconds integer, p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_offer payments_offer;
    v_claim payments_offerclaim;
    v_hold interval := make_interval(secs => p_hold_seconds);
    v_grace interval := make_interval(secs => p_grace_seconds);
    v_refusal text;
BEGIN
    v_offer := payments_lock_offer(p_offer, p_viewer, p_environment);
    IF v_offer.id IS NULL THEN
        RETURN jsonb_build_object('outcome', 'offer_unknown');
    END IF;
    PERFORM payments_release_lapsed(p_offer, p_now);
    SELECT * INTO v_claim FROM payments_offerclaim
    WHERE offer_id = p_offer AND viewer_id = p_viewer AND environment = p_environment
      AND state = 'held';

    IF NOT payments_offer_is_open(v_offer, p_now) THEN
        IF v_claim.id IS NULL OR v_claim.held_until <= p_now THEN
            RETURN jsonb_build_object(
                'outcome', CASE WHEN v_offer.is_active AND v_offer.starts_at > p_now
                                THEN 'offer_not_yet' ELSE 'offer_over' END);
        END IF;
    ELSE
        IF v_claim.id IS NOT NULL THEN
            v_claim := payments_keep_place(v_offer, v_claim, v_hold, v_grace, p_now);
        END IF;
        IF v_claim.held_until <= p_now THEN
            v_refusal := payments_give_up_place(v_claim, p_now);
            v_claim := NULL;
        END IF;
        IF v_claim.id IS NULL AND v_refusal IS NULL THEN
            v_refusal := payments_take_place(v_offer, p_viewer, p_environment, NULL, p_now);
        END IF;
        IF v_refusal IS NOT NULL THEN
            RETURN jsonb_build_object('outcome', v_refusal);
        END IF;
        IF v_claim.id IS NULL THEN
            INSERT INTO payments_offerclaim
                (id, offer_id, viewer_id, environment, kind, bonus_coins, state, held_until,
                 kept_until, created_at)
            VALUES (uuidv7(), p_offer, p_viewer, p_environment, v_offer.kind,
                    v_offer.bonus_coins, 'held', p_now + v_hold, p_now + v_hold + v_grace, p_now)
            RETURNING * INTO STRICT v_claim;
        END IF;
    END IF;
    RETURN jsonb_build_object(
        'outcome', 'held', 'claim_id', v_claim.id, 'bonus_coins', v_claim.bonus_coins,
        'held_until', v_claim.held_until);
END $$;

-- Sells what an intent's claim promises with a purchase that has just been written; returns the bonus coins
-- to grant, or NULL where the pack's ordinary ones are. The caller has locked the intent.
CREATE FUNCTION payments_sell_offer(
    p_purchase uuid, p_intent uuid, p_viewer uuid, p_environment text, p_pack uuid,
    p_purchased_at timestamptz, p_now timestamptz
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_promise payments_offerclaim;
    v_held payments_offerclaim;
    v_offer payments_offer;
    v_is_due boolean;
BEGIN
    SELECT claim.* INTO v_promise
    FROM payments_purchaseintent intent
    JOIN payments_offerclaim claim ON claim.id = intent.offer_claim_id
    WHERE intent.id = p_intent AND claim.viewer_id = p_viewer
      AND claim.environment = p_environment;
    IF v_promise.id IS NULL THEN
        RETURN NULL;
    END IF;
    v_offer := payments_lock_offer(v_promise.offer_id, p_viewer, p_environment);
    IF v_offer.pack_id <> p_pack THEN
        RETURN NULL;
    END IF;
    SELECT * INTO STRICT v_promise FROM payments_offerclaim WHERE id = v_promise.id;
    -- The promise's own place, or one that the viewer has taken since.
    SELECT * INTO v_held FROM payments_offerclaim
    WHERE offer_id = v_offer.id AND viewer_id = p_viewer AND environment = p_environment
      AND state = 'held';
    v_is_due := payments_offer_is_open(v_offer, p_purchased_at)
        OR (v_promise.state <> 'used' AND p_purchased_at < v_promise.held_until);

    IF NOT v_is_due THEN
        PERFORM payments_release_claims(ARRAY[v_promise.id], p_now);
        RETURN NULL;
    END IF;
    IF v_held.id IS NOT NULL THEN
        UPDATE payments_offerclaim SET
            state = 'used', purchase_id = p_purchase, settled_at = p_now,
            bonus_coins = v_promise.bonus_coins
        WHERE id = v_held.id;
        RETURN v_promise.bonus_coins;
    END IF;
    PERFORM payments_release_lapsed(v_offer.id, p_now);
    IF payments_take_place(v_offer, p_viewer, p_environment, p_purchase, p_now) IS NOT NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO payments_offerclaim
        (id, offer_id, viewer_id, environment, kind, bonus_coins, state, held_until, kept_until,
         purchase_id, created_at, settled_at)
    VALUES (uuidv7(), v_offer.id, p_viewer, p_environment, v_offer.kind, v_promise.bonus_coins,
            'used', v_promise.held_until, v_promise.kept_until, p_purchase, p_now, p_now);
    RETURN v_promise.bonus_coins;
END $$;

-- Gives back the places that are kept no longer, of p_limit offers at most; returns how many. Offers that
-- somebody else holds wait for the next call.
CREATE FUNCTION payments_release_offers(p_limit integer, p_now timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_offer uuid;
    v_released integer := 0;
BEGIN
    FOR v_offer IN
        SELECT id FROM payments_offer
        WHERE id IN (SELECT offer_id FROM payments_offerclaim
                     WHERE state = 'held' AND kept_until <= p_now)
        ORDER BY id LIMIT p_limit
        FOR NO KEY UPDATE SKIP LOCKED
    LOOP
        v_released := v_released + payments_release_lapsed(v_offer, p_now);
    END LOOP;
    RETURN v_released;
END $$;

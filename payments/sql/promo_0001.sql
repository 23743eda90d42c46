-- Redeems a promo code for a viewer: bonus coins, once for each viewer, and so often in all.
--
-- p_code is in capitals without spaces; O and 0 are one letter, and so are I, L and 1. p_subjects are those
-- who are asking, a viewer and an address, as keyed hashes; each may type p_limits wrong codes on p_day.
--
-- Returns {"outcome": "redeemed" | "repeated", "redemption_id", "code", "coins", "coins_expire_at"}, or with
-- nothing given {"outcome": "promo_code_unknown" | "promo_code_over" | "promo_code_used_up" |
-- "too_many_attempts"}. What is not there, is switched off, waits for a second person or has not begun is
-- unknown, all the same. A
-- viewer who has redeemed the code is answered the same again, whatever has become of it since.
--
-- Lock order: attempts, code, wallet. Guesses of one viewer or address wait for each other, so that they
-- cannot pass the limit together.
CREATE FUNCTION payments_redeem_promo_code(
    p_viewer uuid, p_environment text, p_code text, p_subjects text[], p_limits integer[],
    p_day date, p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_promo payments_promocode;
    v_redemption payments_promoredemption;
    v_outcome text := 'redeemed';
BEGIN
    INSERT INTO payments_promoattempt (subject, day, wrong_count)
    SELECT subject, p_day, 0 FROM unnest(p_subjects) AS subject ORDER BY subject
    ON CONFLICT (subject) DO NOTHING;
    IF (SELECT bool_or(wrong_count >= wrong_limit)
        FROM (SELECT attempt.wrong_count, asking.wrong_limit
              FROM unnest(p_subjects, p_limits) AS asking(subject, wrong_limit)
              JOIN payments_promoattempt attempt ON attempt.subject = asking.subject
              ORDER BY attempt.subject FOR UPDATE OF attempt) AS locked
    ) THEN
        RETURN jsonb_build_object('outcome', 'too_many_attempts');
    END IF;

    SELECT * INTO v_promo FROM payments_promocode
    WHERE translate(code, 'OIL', '011') = translate(p_code, 'OIL', '011')
    FOR NO KEY UPDATE;
    SELECT * INTO v_redemption FROM payments_promoredemption
    WHERE promo_code_id = v_promo.id AND viewer_id = p_viewer AND environment = p_environment;
    IF v_redemption.id IS NOT NULL THEN
        v_outcome := 'repeated';
    ELSIF v_promo.id IS NULL OR NOT v_promo.is_active OR v_promo.starts_at > p_now
       OR (v_promo.needs_second AND v_promo.agreed_by_id IS NULL) THEN
        UPDATE payments_promoattempt SET wrong_count = wrong_count + 1
        WHERE subject = ANY(p_subjects);
        RETURN jsonb_build_object('outcome', 'promo_code_unknown');
    ELSIF v_promo.ends_at <= p_now THEN
        RETURN jsonb_build_object('outcome', 'promo_code_over');
    ELSE
        UPDATE payments_promocode SET
            redeemed_count = redeemed_count + (p_environment = 'production')::int,
            sandbox_redeemed_count = sandbox_redeemed_count + (p_environment = 'sandbox')::int
        WHERE id = v_promo.id
          AND maximum_redemptions > CASE p_environment WHEN 'sandbox' THEN sandbox_redeemed_count
                                                       ELSE redeemed_count END;
        IF NOT FOUND THEN
            RETURN jsonb_build_object('outcome', 'promo_code_used_up');
        END IF;
        v_redemption := payments_give_promo_coins(v_promo, p_viewer, p_environment, p_now);
    END IF;
    RETURN jsonb_build_object(
        'outcome', v_outcome, 'redemption_id', v_redemption.id, 'code', v_promo.code,
        'coins', v_redemption.coins, 'coins_expire_at', v_redemption.coins_expire_at);
END $$;

-- Gives a code's coins and writes the redemption. The caller has counted it.
CREATE FUNCTION payments_give_promo_coins(
    p_promo payments_promocode, p_viewer uuid, p_environment text, p_now timestamptz
) RETURNS payments_promoredemption
LANGUAGE plpgsql AS $$
DECLARE
    v_redemption payments_promoredemption;
    v_id uuid := uuidv7();
    v_expire_at timestamptz :=
        p_now + make_interval(secs => p_promo.coins_expire_after_seconds);
BEGIN
    INSERT INTO payments_promoredemption
        (id, promo_code_id, viewer_id, environment, transfer_id, coins, coins_expire_at,
         created_at)
    VALUES (v_id, p_promo.id, p_viewer, p_environment,
            payments_give_coins(p_viewer, p_environment, 'promo', v_id::text,
                p_promo.bonus_coins, 0, v_expire_at, p_now),
            p_promo.bonus_coins, v_expire_at, p_now)
    RETURNING * INTO STRICT v_redemption;
    RETURN v_redemption;
END $$;

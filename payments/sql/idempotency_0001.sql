-- Claims an idempotency key inside the caller's transaction.
--
-- Returns NULL when the key is new: the caller does its work and then calls payments_settle_key.
-- A concurrent twin waits here until the first commits, and then sees its outcome.
CREATE FUNCTION payments_claim_key(
    p_viewer uuid, p_operation text, p_key text, p_fingerprint bytea, p_now timestamptz
) RETURNS payments_idempotencyrecord
LANGUAGE plpgsql AS $$
DECLARE
    v_record payments_idempotencyrecord;
BEGIN
    INSERT INTO payments_idempotencyrecord
        (id, viewer_id, operation, key, fingerprint, created_at)
    VALUES (uuidv7(), p_viewer, p_operation, p_key, p_fingerprint, p_now)
    ON CONFLICT (viewer_id, operation, key) DO NOTHING;
    IF FOUND THEN
        RETURN NULL;
    END IF;
    SELECT * INTO STRICT v_record FROM payments_idempotencyrecord
    WHERE viewer_id = p_viewer AND operation = p_operation AND key = p_key;
    RETURN v_record;
END $$;

CREATE FUNCTION payments_settle_key(p_viewer uuid, p_operation text, p_key text, p_outcome jsonb)
RETURNS void
LANGUAGE sql AS $$
    UPDATE payments_idempotencyrecord SET outcome = p_outcome
    WHERE viewer_id = p_viewer AND operation = p_operation AND key = p_key;
$$;

CREATE FUNCTION payments_release_key(p_viewer uuid, p_operation text, p_key text)
RETURNS void
LANGUAGE sql AS $$
    DELETE FROM payments_idempotencyrecord
    WHERE viewer_id = p_viewer AND operation = p_operation AND key = p_key;
$$;

-- Keeps the body of an answer that could be rendered differently later. The first body wins and is
-- what every later call gets.
CREATE FUNCTION payments_pin_answer(p_viewer uuid, p_operation text, p_key text, p_answer bytea)
RETURNS bytea
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE payments_idempotencyrecord SET answer = coalesce(answer, p_answer)
    WHERE viewer_id = p_viewer AND operation = p_operation AND key = p_key
    RETURNING answer;
$$;

-- Idempotency keys for effects that are written by the application itself, in its own transaction. An
-- unlock's key is its function's alone: an outcome without its charge could be forged otherwise.

-- Claims a key: is_new says that the caller has the work to do and then keeps its outcome; else the
-- outcome of the first call is there, and is_same whether that was the same request. A concurrent twin
-- waits here until the first commits.
CREATE FUNCTION payments_take_key(
    p_viewer uuid, p_operation text, p_key text, p_fingerprint bytea, p_now timestamptz,
    OUT is_new boolean, OUT is_same boolean, OUT outcome jsonb
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_record payments_idempotencyrecord;
BEGIN
    PERFORM payments_refuse_unlock_key(p_operation);
    v_record := payments_claim_key(p_viewer, p_operation, p_key, p_fingerprint, p_now);
    is_new := v_record.id IS NULL;
    is_same := is_new OR v_record.fingerprint = p_fingerprint;
    outcome := v_record.outcome;
END $$;

-- Keeps the outcome of a claimed key. The first is kept for good.
CREATE FUNCTION payments_keep_outcome(
    p_viewer uuid, p_operation text, p_key text, p_outcome jsonb
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM payments_refuse_unlock_key(p_operation);
    UPDATE payments_idempotencyrecord SET outcome = p_outcome
    WHERE viewer_id = p_viewer AND operation = p_operation AND key = p_key AND outcome IS NULL;
END $$;

CREATE FUNCTION payments_refuse_unlock_key(p_operation text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF p_operation = 'unlock' THEN
        RAISE EXCEPTION 'keys of unlocks are kept by payments_unlock'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
END $$;

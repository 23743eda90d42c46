-- A wallet in which a rule of the ledger would have broken spends nothing until somebody has looked.
CREATE FUNCTION payments_hold_wallet(
    p_viewer uuid, p_environment text, p_reason text, p_now timestamptz
) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE payments_wallet SET held_at = p_now, held_because = left(p_reason, 500)
    WHERE viewer_id = p_viewer AND environment = p_environment AND held_at IS NULL;
$$;

-- Lets it spend again. Returns whether it was held.
CREATE FUNCTION payments_release_wallet(p_wallet uuid) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH released AS (
        UPDATE payments_wallet SET held_at = NULL, held_because = ''
        WHERE id = p_wallet AND held_at IS NOT NULL RETURNING id
    )
    SELECT EXISTS (SELECT FROM released);
$$;

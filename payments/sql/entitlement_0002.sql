-- Marks entitlements as played, once each, and returns those of them that are not closed.
--
-- Newest first, as a refund takes them: in another order, each could wait for what the other holds.
CREATE FUNCTION payments_mark_played(p_entitlements uuid[], p_now timestamptz) RETURNS SETOF uuid
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH held AS (
        SELECT id FROM payments_entitlement
        WHERE id = ANY(p_entitlements) AND closed_at IS NULL ORDER BY id DESC FOR NO KEY UPDATE
    )
    UPDATE payments_entitlement AS entitlement
    SET first_played_at = coalesce(entitlement.first_played_at, p_now)
    FROM held WHERE entitlement.id = held.id
    RETURNING entitlement.id;
$$;

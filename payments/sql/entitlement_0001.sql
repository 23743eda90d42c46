-- The one door to an entitlement: opens an episode for a viewer and returns the entitlement's id.
--
-- The caller holds the wallet's lock and has found no entitlement that covers p_now. One that has
-- lapsed gives up its place; one that has not is a broken promise of the caller, and the unique index
-- raises. p_ends_at is NULL for what is opened for good.
CREATE FUNCTION payments_open_episode(
    p_viewer uuid, p_environment text, p_series uuid, p_episode uuid,
    p_source text, p_ends_at timestamptz, p_now timestamptz
) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    v_entitlement uuid := uuidv7();
BEGIN
    UPDATE payments_entitlement SET closed_at = p_now
    WHERE viewer_id = p_viewer AND episode_id = p_episode AND environment = p_environment
      AND closed_at IS NULL AND ends_at <= p_now;
    INSERT INTO payments_entitlement
        (id, viewer_id, environment, series_id, episode_id, source, starts_at, ends_at)
    VALUES (v_entitlement, p_viewer, p_environment, p_series, p_episode, p_source, p_now, p_ends_at);
    RETURN v_entitlement;
END $$;

-- The entitlement that covers a moment, or NULL.
CREATE FUNCTION payments_live_entitlement(
    p_viewer uuid, p_environment text, p_episode uuid, p_now timestamptz
) RETURNS uuid
LANGUAGE sql AS $$
    SELECT id FROM payments_entitlement
    WHERE viewer_id = p_viewer AND episode_id = p_episode AND environment = p_environment
      AND closed_at IS NULL AND (ends_at IS NULL OR ends_at > p_now);
$$;

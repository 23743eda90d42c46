-- Subscriptions' periods and passes, and what is opened under them.

-- Gives a viewer cover from p_starts_at to p_ends_at; returns its id. `reference` is the natural key of
-- what gave it: a second cover for the same is refused by the unique index.
CREATE FUNCTION payments_give_cover(
    p_viewer uuid, p_environment text, p_source text, p_reference text, p_starts_at timestamptz,
    p_ends_at timestamptz, p_now timestamptz
) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    v_wallet uuid := payments_lock_wallet(p_viewer, p_environment, p_now);
    v_cover uuid := uuidv7();
BEGIN
    INSERT INTO payments_cover
        (id, viewer_id, environment, source, reference, starts_at, ends_at, created_at)
    VALUES (v_cover, p_viewer, p_environment, p_source, p_reference, p_starts_at, p_ends_at, p_now);
    UPDATE payments_wallet SET covered_until = greatest(covered_until, p_ends_at)
    WHERE id = v_wallet;
    RETURN v_cover;
END $$;

-- Ends a cover now, and with it what was opened under it.
CREATE FUNCTION payments_close_cover(p_cover uuid, p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_cover payments_cover;
    v_wallet uuid;
BEGIN
    SELECT * INTO STRICT v_cover FROM payments_cover WHERE id = p_cover;
    v_wallet := payments_lock_wallet(v_cover.viewer_id, v_cover.environment, p_now);
    UPDATE payments_cover SET closed_at = p_now WHERE id = p_cover AND closed_at IS NULL;
    -- In the order in which playing marks them.
    PERFORM FROM payments_entitlement WHERE cover_id = p_cover AND closed_at IS NULL
    ORDER BY id DESC FOR UPDATE;
    UPDATE payments_entitlement SET closed_at = p_now WHERE cover_id = p_cover AND closed_at IS NULL;
    UPDATE payments_wallet SET covered_until = (
        SELECT max(ends_at) FROM payments_cover
        WHERE viewer_id = v_cover.viewer_id AND environment = v_cover.environment
          AND closed_at IS NULL)
    WHERE id = v_wallet;
END $$;

-- Opens an episode until the end of the cover that lasts longest; returns the entitlement, or NULL
-- where nothing covers p_now. The caller holds the wallet and has found no live entitlement.
CREATE FUNCTION payments_open_under_cover(
    p_wallet payments_wallet, p_series uuid, p_episode uuid, p_now timestamptz
) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    v_cover payments_cover;
    v_entitlement uuid;
BEGIN
    SELECT * INTO v_cover FROM payments_cover
    WHERE viewer_id = p_wallet.viewer_id AND environment = p_wallet.environment
      AND closed_at IS NULL AND starts_at <= p_now AND ends_at > p_now
    ORDER BY ends_at DESC LIMIT 1;
    IF v_cover.id IS NULL THEN
        RETURN NULL;
    END IF;
    v_entitlement := payments_open_episode(
        p_wallet.viewer_id, p_wallet.environment, p_series, p_episode, 'subscription',
        v_cover.ends_at, p_now);
    UPDATE payments_entitlement SET cover_id = v_cover.id WHERE id = v_entitlement;
    RETURN v_entitlement;
END $$;

-- Opens those of a series' episodes that a cover opens and nothing has opened yet, for a viewer who
-- plays on; returns them. The caller has found the episodes published.
CREATE FUNCTION payments_open_covered(
    p_viewer uuid, p_environment text, p_series uuid, p_episodes uuid[], p_now timestamptz
) RETURNS uuid[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_wallet payments_wallet;
    v_episode uuid;
    v_opened uuid[] := '{}';
BEGIN
    SELECT * INTO v_wallet FROM payments_wallet
    WHERE viewer_id = p_viewer AND environment = p_environment AND covered_until > p_now FOR UPDATE;
    IF v_wallet.id IS NULL THEN
        RETURN v_opened;
    END IF;
    FOREACH v_episode IN ARRAY p_episodes LOOP
        CONTINUE WHEN payments_live_entitlement(
            p_viewer, p_environment, v_episode, p_now) IS NOT NULL;
        IF payments_open_under_cover(v_wallet, p_series, v_episode, p_now) IS NOT NULL THEN
            v_opened := v_opened || v_episode;
        END IF;
    END LOOP;
    RETURN v_opened;
END $$;

-- Verified watching: which seconds of a day a viewer has watched, by the clock on the wall.
--
-- A union is the same however often and in whatever order its parts come. So a flush that is done again, a
-- batch that is sent again and a second device add nothing.

ALTER TABLE ads_watchday ADD COLUMN covered int8multirange NOT NULL DEFAULT '{}';

CREATE FUNCTION ads_seconds_in(p_covered int8multirange) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(sum(upper(part) - lower(part)), 0)::integer FROM unnest(p_covered) AS part
$$;

ALTER TABLE ads_watchday ADD CONSTRAINT ads_watchday_counts_what_it_covers
    CHECK (seconds = ads_seconds_in(covered));

-- Adds stretches of Unix seconds, half-open, each within its day. Rows are locked in one order.
CREATE FUNCTION ads_record_watching(
    p_viewers uuid[], p_environments text[], p_days date[], p_starts bigint[], p_ends bigint[]
) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO ads_watchday AS kept
        (id, viewer_id, environment, day, seconds, settled_seconds, covered)
    SELECT uuidv7(), viewer_id, environment, day, ads_seconds_in(covered), 0, covered
    FROM (
        SELECT viewer_id, environment, day, range_agg(int8range(starts, ends)) AS covered
        FROM unnest(p_viewers, p_environments, p_days, p_starts, p_ends)
            AS stretch(viewer_id, environment, day, starts, ends)
        WHERE ends > starts
        GROUP BY viewer_id, environment, day
    ) AS told
    ORDER BY viewer_id, environment, day
    ON CONFLICT (viewer_id, environment, day) DO UPDATE SET
        covered = kept.covered + excluded.covered,
        seconds = ads_seconds_in(kept.covered + excluded.covered)
    WHERE NOT kept.covered @> excluded.covered;
$$;

-- Whether a viewer has cost somebody something: time before the screen, or an identity that a company vouches
-- for. An e-mail address costs nothing.
CREATE FUNCTION ads_is_proven(p_viewer uuid, p_environment text, p_seconds bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
            SELECT FROM viewers_identity WHERE viewer_id = p_viewer AND provider <> 'email')
        OR p_seconds <= (
            SELECT coalesce(sum(seconds), 0) FROM ads_watchday
            WHERE viewer_id = p_viewer AND environment = p_environment)
$$;

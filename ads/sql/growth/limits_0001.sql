-- Limits on what can be had from one device, one part of the network, or by everybody in a day.
--
-- A limit is {"name", "subject", "since", "at_most"}: its count may be at_most. The rows are locked in one
-- order, after the wallet: of many callers at once each sees what the one before has had.

-- The name of a limit that is reached, NULL if none is. Holds the counts until the transaction ends.
CREATE FUNCTION ads_reached_limit(p_environment text, p_limits jsonb) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    v_reached text;
BEGIN
    INSERT INTO ads_limitcount (id, environment, name, subject, since, count)
    SELECT uuidv7(), p_environment, name, subject, since, 0
    FROM jsonb_to_recordset(p_limits) AS asked(name text, subject text, since date)
    ORDER BY name, subject, since
    ON CONFLICT (environment, name, subject, since) DO NOTHING;
    SELECT min(name) FILTER (WHERE count >= at_most) INTO v_reached
    FROM (
        SELECT kept.name, kept.count, asked.at_most
        FROM jsonb_to_recordset(p_limits)
            AS asked(name text, subject text, since date, at_most integer)
        JOIN ads_limitcount kept
            ON kept.environment = p_environment AND kept.name = asked.name
           AND kept.subject = asked.subject AND kept.since = asked.since
        ORDER BY kept.name, kept.subject, kept.since
        FOR UPDATE OF kept
    ) AS locked;
    RETURN v_reached;
END $$;

-- Counts one more against each. The caller holds them.
CREATE FUNCTION ads_count_limits(p_environment text, p_limits jsonb) RETURNS void
LANGUAGE sql AS $$
    UPDATE ads_limitcount AS kept SET count = kept.count + 1
    FROM jsonb_to_recordset(p_limits) AS asked(name text, subject text, since date)
    WHERE kept.environment = p_environment AND kept.name = asked.name
      AND kept.subject = asked.subject AND kept.since = asked.since;
$$;

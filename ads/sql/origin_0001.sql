-- Takes a place for an account among those that open ad sessions on its device and from its block of addresses
-- in a day; p_day is the day of p_now in the reporting zone. Returns '' where there is room, or what is full:
-- 'address' or 'device'. The caller rolls back what was taken then, as with every opening that is refused.
--
-- p_block is a keyed hash, null where no address is known. An account that has its place keeps it. Who comes new
-- is counted under the origin's lock, address before device, so that no two take the last place.
CREATE FUNCTION ads_take_origins(
    p_viewer uuid, p_environment text, p_device uuid, p_block bytea,
    p_device_limit integer, p_address_limit integer, p_day date, p_now timestamptz
) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_place record;
BEGIN
    FOR v_place IN
        SELECT kind, origin, most FROM (
            VALUES (1, 'address', p_block, p_address_limit),
                   (2, 'device',
                    (SELECT uuid_send(install_id) FROM viewers_device
                     WHERE id = p_device AND viewer_id = p_viewer),
                    p_device_limit)
        ) AS place (turn, kind, origin, most)
        WHERE origin IS NOT NULL
        ORDER BY turn
    LOOP
        CONTINUE WHEN EXISTS (
            SELECT FROM ads_adorigin
            WHERE day = p_day AND environment = p_environment AND kind = v_place.kind
              AND origin = v_place.origin AND viewer_id = p_viewer);
        PERFORM pg_advisory_xact_lock(hashtextextended(
            v_place.kind || encode(v_place.origin, 'hex') || p_environment || p_day, 0));
        IF v_place.most <= (
                SELECT count(*) FROM ads_adorigin
                WHERE day = p_day AND environment = p_environment AND kind = v_place.kind
                  AND origin = v_place.origin) THEN
            RETURN v_place.kind;
        END IF;
        INSERT INTO ads_adorigin (id, day, environment, kind, origin, viewer_id, created_at)
        VALUES (uuidv7(), p_day, p_environment, v_place.kind, v_place.origin, p_viewer, p_now)
        ON CONFLICT DO NOTHING;
    END LOOP;
    RETURN '';
END $$;

-- Lets one session of the web server wait at a named point of its transaction, so that it can be
-- killed just there. Installed by the crash tests, as the schema's owner, in their own instance.
CREATE SCHEMA crash;

-- The point at which the next session shall wait. Not logged: a crash of Postgres disarms it.
CREATE UNLOGGED TABLE crash.armed (point text PRIMARY KEY);

-- A trigger whose argument is the point's name. The session that waits says so in its application
-- name, behind the name of the process it belongs to, and goes on when the point is disarmed; before
-- its statement would run out of time in any case. The lock sees to it that only one waits.
CREATE FUNCTION crash.wait_here() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = crash, pg_temp AS $$
DECLARE
    v_process text := current_setting('application_name');
    v_latest timestamptz := clock_timestamp() + interval '4 seconds';
BEGIN
    IF v_process LIKE 'web-%'
        AND EXISTS (SELECT FROM armed WHERE point = TG_ARGV[0])
        AND pg_try_advisory_xact_lock('armed'::regclass::oid::bigint)
    THEN
        PERFORM set_config('application_name', v_process || ' ' || TG_ARGV[0], true);
        WHILE clock_timestamp() < v_latest
            AND EXISTS (SELECT FROM armed WHERE point = TG_ARGV[0])
        LOOP
            PERFORM pg_sleep(0.01);
        END LOOP;
    END IF;
    RETURN NEW;
END $$;

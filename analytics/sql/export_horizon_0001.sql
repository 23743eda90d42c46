-- The moment before which all that any transaction has written can be seen.
--
-- Ids of money's rows (uuidv7()) and the arrival of flushes are drawn from this clock within the transaction
-- that writes them, so after it began. A transaction that is still open may commit later what it drew
-- long ago: nobody may continue after that. Here is the earliest that any of them can have drawn.
-- The clock is read before the transactions are: one that begins in between draws later.
-- It runs as the owner, whose sessions the application's are; others' are not told to the application.
CREATE OR REPLACE FUNCTION analytics_export_horizon() RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_oldest timestamptz;
BEGIN
    PERFORM pg_stat_clear_snapshot();
    SELECT min(xact_start) INTO v_oldest
    FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend'
      AND pid <> pg_backend_pid() AND xact_start IS NOT NULL;
    -- What is prepared to be committed has no session any more.
    SELECT least(v_oldest, min(prepared)) INTO v_oldest
    FROM pg_prepared_xacts WHERE database = current_database();
    RETURN least(v_now, v_oldest);
END;
$$;

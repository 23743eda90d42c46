-- The moments at which what was written of ads since %(since)s counts, by the ids of the rows.
SELECT booked_at AS created_at FROM ads_earning WHERE id >= %(since)s

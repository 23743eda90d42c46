-- The moments at which the rewards that were written since %(since)s count, by their ids.
SELECT created_at FROM ads_reward WHERE id >= %(since)s

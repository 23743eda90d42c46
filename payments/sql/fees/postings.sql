-- The moments at which the fees that were settled since %(since)s count, by their ids.
SELECT created_at FROM payments_feeadjustment WHERE id >= %(since)s

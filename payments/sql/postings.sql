-- The moments at which what was posted since %(since)s counts. The database draws rows' ids by its own clock;
-- created_at is the interface's, which a demo simulates.
SELECT created_at FROM payments_transfer WHERE id >= %(since)s
UNION ALL
-- A refund of what is left nowhere has no transfer.
SELECT created_at FROM payments_refundbooking WHERE id >= %(since)s

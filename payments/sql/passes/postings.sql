-- The moments at which the passes, and refunds of passes, that were booked since %(since)s count, by their ids.
SELECT created_at FROM payments_passpurchase WHERE id >= %(since)s
UNION ALL
SELECT created_at FROM payments_passrefundbooking WHERE id >= %(since)s

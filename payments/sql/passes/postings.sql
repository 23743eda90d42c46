-- The moments at which the passes that were booked since %(since)s count, by their ids.
SELECT created_at FROM payments_passpurchase WHERE id >= %(since)s

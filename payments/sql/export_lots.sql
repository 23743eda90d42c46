-- Every lot that had been granted by a moment, and what was left in it then: what it was granted and
-- the movements up to then. Deferred revenue is the value left in lots that were bought.
SELECT lot.id AS lot_id, wallet.viewer_id, lot.environment, lot.kind, lot.origin,
       lot.granted_at,
       CASE WHEN gift.revoked_at > %(at)s THEN gift.coins_expire_at ELSE lot.expires_at END
           AS expires_at,
       lot.granted_coins, lot.value_micros,
       left_then.coins AS remaining_coins, left_then.value_micros AS remaining_value_micros,
       CASE WHEN lot.origin = ANY(%(revenue_origins)s) THEN left_then.value_micros ELSE 0 END
           AS deferred_micros,
       transfer.id AS transfer_id, transfer.code AS transfer_code,
       transfer.reference AS transfer_reference,
       coalesce(purchase.id, period.id) AS purchase_id,
       coalesce(purchase.provider, period.provider) AS provider,
       coalesce(purchase.transaction_id, period.transaction_id) AS transaction_id
FROM payments_lot lot
JOIN payments_wallet wallet ON wallet.id = lot.wallet_id
JOIN payments_transfer transfer ON transfer.id = lot.transfer_id
LEFT JOIN payments_purchase purchase ON purchase.transfer_id = lot.transfer_id
LEFT JOIN payments_passpurchase period ON period.coins_transfer_id = lot.transfer_id
-- Taking a gift back later has moved the expiry of its coins.
LEFT JOIN payments_grant gift ON gift.transfer_id = lot.transfer_id
LEFT JOIN (
    SELECT lot_id, sum(coins) AS coins, sum(value_micros) AS value_micros
    FROM payments_lotmovement WHERE created_at <= %(at)s GROUP BY lot_id
) moved ON moved.lot_id = lot.id
CROSS JOIN LATERAL (
    SELECT (lot.granted_coins + coalesce(moved.coins, 0))::bigint AS coins,
           (lot.value_micros + coalesce(moved.value_micros, 0))::bigint AS value_micros
) left_then
WHERE lot.granted_at <= %(at)s
ORDER BY lot.id

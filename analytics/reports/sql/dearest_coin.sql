-- name: dearest_coin
-- The purchase that brought most a coin: what the dearest coin sold so far is worth.
SELECT net_micros, coins
FROM purchases
WHERE created_at < $watermark AND coins > 0
ORDER BY net_micros::DOUBLE / coins DESC, purchase_id
LIMIT 1

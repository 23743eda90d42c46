-- Every rule of the ledger, re-added from its rows. Each query lists violations: what, and where.

-- check: a transfer's entries sum to zero
SELECT transfer_id::text, sum(amount_coins)::text
FROM payments_entry GROUP BY transfer_id HAVING sum(amount_coins) <> 0;

-- check: a transfer has entries
SELECT transfer.id::text, transfer.code
FROM payments_transfer transfer
WHERE NOT EXISTS (SELECT FROM payments_entry entry WHERE entry.transfer_id = transfer.id);

-- check: balance after each entry is the sum of the account's entries up to it, numbered 1..n
SELECT id::text, account || ' #' || sequence
FROM (
    SELECT id, account, sequence, balance_after_coins,
           sum(amount_coins) OVER account_order AS expected_balance,
           row_number() OVER account_order AS expected_sequence
    FROM payments_entry WHERE wallet_id IS NOT NULL
    WINDOW account_order AS (PARTITION BY wallet_id, account ORDER BY sequence)
) entry
WHERE balance_after_coins <> expected_balance OR sequence <> expected_sequence;

-- check: a wallet holds what its entries add up to
SELECT wallet.id::text, posted.account
FROM payments_wallet wallet
CROSS JOIN LATERAL (VALUES
    ('paid', wallet.paid_coins, wallet.paid_sequence),
    ('bonus', wallet.bonus_coins, wallet.bonus_sequence),
    ('debt', wallet.debt_coins, wallet.debt_sequence)) AS posted(account, coins, sequence)
LEFT JOIN (
    SELECT wallet_id, account, sum(amount_coins) AS coins, count(*) AS entries
    FROM payments_entry WHERE wallet_id IS NOT NULL GROUP BY wallet_id, account
) summed ON summed.wallet_id = wallet.id AND summed.account = posted.account
WHERE coalesce(summed.coins, 0) <> posted.coins OR coalesce(summed.entries, 0) <> posted.sequence;

-- check: a wallet's lots hold exactly its coins
SELECT wallet.id::text, lot.kind
FROM payments_wallet wallet
CROSS JOIN LATERAL (
    SELECT kind, coins, (
        SELECT coalesce(sum(remaining_coins), 0) FROM payments_lot
        WHERE wallet_id = wallet.id AND payments_lot.kind = held.kind) AS in_lots
    FROM (VALUES ('paid', wallet.paid_coins), ('bonus', wallet.bonus_coins)) AS held(kind, coins)
) lot
WHERE lot.coins <> lot.in_lots;

-- check: a lot's coins and value are spent or left, to the micro
SELECT lot.id::text, lot.origin
FROM payments_lot lot
LEFT JOIN (
    SELECT lot_id, sum(coins) AS coins, sum(value_micros) AS value
    FROM payments_lotspend GROUP BY lot_id
) spent ON spent.lot_id = lot.id
WHERE lot.granted_coins <> lot.remaining_coins + coalesce(spent.coins, 0)
   OR lot.value_micros <> lot.remaining_value_micros + coalesce(spent.value, 0)
   OR coalesce(spent.value, 0)
        <> div(lot.value_micros::numeric * coalesce(spent.coins, 0), lot.granted_coins::numeric);

-- check: an unlock charges what its transfer and its lots say
SELECT unlock.id::text, unlock.price_coins::text
FROM payments_unlock unlock
LEFT JOIN (
    SELECT spend.transfer_id, sum(spend.coins) AS coins, sum(spend.value_micros) AS value,
           coalesce(sum(spend.coins) FILTER (WHERE lot.kind = 'paid'), 0) AS paid
    FROM payments_lotspend spend JOIN payments_lot lot ON lot.id = spend.lot_id
    GROUP BY spend.transfer_id
) spent ON spent.transfer_id = unlock.transfer_id
LEFT JOIN payments_entry entry
    ON entry.transfer_id = unlock.transfer_id AND entry.account = 'unlocks'
WHERE unlock.price_coins IS DISTINCT FROM spent.coins
   OR unlock.paid_coins IS DISTINCT FROM spent.paid
   OR unlock.value_micros IS DISTINCT FROM spent.value
   OR unlock.price_coins IS DISTINCT FROM entry.amount_coins;

-- check: a purchase's lots carry its coins and its net price
SELECT purchase.id::text, purchase.transaction_id
FROM payments_purchase purchase
LEFT JOIN (
    SELECT transfer_id, sum(granted_coins) AS coins, sum(value_micros) AS value
    FROM payments_lot GROUP BY transfer_id
) granted ON granted.transfer_id = purchase.transfer_id
WHERE granted.coins IS DISTINCT FROM purchase.paid_coins + purchase.bonus_coins
   OR granted.value IS DISTINCT FROM purchase.net_micros;

-- check: a lot is spent by its own wallet's viewer
SELECT spend.id::text, lot.id::text
FROM payments_lotspend spend
JOIN payments_lot lot ON lot.id = spend.lot_id
JOIN payments_wallet wallet ON wallet.id = lot.wallet_id
JOIN payments_transfer transfer ON transfer.id = spend.transfer_id
WHERE transfer.viewer_id IS DISTINCT FROM wallet.viewer_id
   OR transfer.environment <> wallet.environment;

-- check: an unlock and a purchase are their transfer's viewer's, in its environment
SELECT fact.id::text, fact.what
FROM (
    SELECT id, 'unlock' AS what, viewer_id, environment, transfer_id FROM payments_unlock
    UNION ALL
    SELECT id, 'purchase', viewer_id, environment, transfer_id FROM payments_purchase
) fact
JOIN payments_transfer transfer ON transfer.id = fact.transfer_id
WHERE transfer.viewer_id IS DISTINCT FROM fact.viewer_id
   OR transfer.environment <> fact.environment OR transfer.code <> fact.what;

-- check: coins spent on an episode have their unlock
SELECT transfer.id::text, transfer.reference
FROM payments_transfer transfer
WHERE transfer.code = 'unlock'
  AND NOT EXISTS (SELECT FROM payments_unlock unlock WHERE unlock.transfer_id = transfer.id);

-- check: production and sandbox never meet
SELECT entry.id::text, entry.environment
FROM payments_entry entry
JOIN payments_transfer transfer ON transfer.id = entry.transfer_id
LEFT JOIN payments_wallet wallet ON wallet.id = entry.wallet_id
WHERE entry.environment <> transfer.environment
   OR entry.environment <> coalesce(wallet.environment, entry.environment)
UNION ALL
SELECT lot.id::text, lot.environment
FROM payments_lot lot JOIN payments_wallet wallet ON wallet.id = lot.wallet_id
WHERE lot.environment <> wallet.environment;

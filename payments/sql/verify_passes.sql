-- Every rule of passes, re-added from their rows. Each query lists violations: what, and where.

-- check: a pass that was bought has its cover, and a cover that was bought its pass
SELECT coalesce(purchase.id, cover.id)::text, coalesce(purchase.transaction_id, cover.reference)
FROM payments_passpurchase purchase
FULL JOIN (SELECT * FROM payments_cover WHERE source = 'pass') cover
    ON cover.id = purchase.cover_id
   AND cover.viewer_id = purchase.viewer_id
   AND cover.environment = purchase.environment
   AND cover.reference = purchase.provider || ':' || purchase.transaction_id
   AND cover.starts_at = purchase.starts_at AND cover.ends_at = purchase.ends_at
WHERE purchase.id IS NULL OR cover.id IS NULL;

-- check: a store transaction buys coins or a pass, not both
SELECT purchase.id::text, pass.id::text
FROM payments_purchase purchase
JOIN payments_passpurchase pass
    ON pass.provider = purchase.provider AND pass.environment = purchase.environment
   AND pass.transaction_id = purchase.transaction_id;

-- check: a pass lasts as long as was sold
SELECT id::text, starts_at || ' to ' || ends_at
FROM payments_passpurchase
WHERE ends_at <> (anchor_at AT TIME ZONE 'UTC'
                  + make_interval(months => anchor_months, days => period_days)) AT TIME ZONE 'UTC'
   OR starts_at <> (anchor_at AT TIME ZONE 'UTC'
                    + make_interval(months => anchor_months - period_months)) AT TIME ZONE 'UTC';

-- check: passes of one viewer follow each other
SELECT pass.id::text, pass.viewer_id::text
FROM (
    SELECT purchase.id, purchase.viewer_id, purchase.starts_at,
           lag(purchase.ends_at) OVER (
               PARTITION BY purchase.viewer_id, purchase.environment
               ORDER BY purchase.starts_at, purchase.id) AS before_ends_at
    FROM payments_passpurchase purchase JOIN payments_cover cover ON cover.id = purchase.cover_id
    WHERE cover.closed_at IS NULL
) pass
WHERE pass.starts_at < pass.before_ends_at;

-- check: an intent's promise is kept once, to its own viewer
SELECT intent_id::text, count(*)::text
FROM payments_passpurchase WHERE intent_id IS NOT NULL GROUP BY intent_id HAVING count(*) > 1
UNION ALL
SELECT purchase.id::text, intent.id::text
FROM payments_passpurchase purchase JOIN payments_passintent intent ON intent.id = purchase.intent_id
WHERE (intent.viewer_id, intent.provider, intent.product_id, intent.period_months, intent.period_days)
   <> (purchase.viewer_id, purchase.provider, purchase.product_id, purchase.period_months,
       purchase.period_days);

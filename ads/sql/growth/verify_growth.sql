-- Every rule of tasks and referrals, re-added from their rows. Each query lists violations: what, and where.

-- check: a claim and a vested referral have their reward, of the same coins and environment
SELECT paid.id::text, coalesce(transfer.reference, 'no transfer')
FROM (
    SELECT claim.id, claim.transfer_id, claim.environment, claim.coins,
           'task:' || claim.task_id || ':' || claim.viewer_id || ':' || claim.period AS reference
    FROM ads_taskclaim claim
    UNION ALL
    SELECT id, transfer_id, environment, NULL, 'referral:' || id
    FROM ads_referral WHERE state = 'vested'
) paid
LEFT JOIN payments_transfer transfer ON transfer.id = paid.transfer_id
LEFT JOIN payments_entry entry ON entry.transfer_id = transfer.id AND entry.account = 'rewards'
WHERE (transfer.code, transfer.environment, transfer.reference)
   IS DISTINCT FROM ('reward'::varchar, paid.environment, paid.reference::varchar)
   OR -entry.amount_coins <> coalesce(paid.coins, -entry.amount_coins);

-- check: a task's or a referral's reward has its row
SELECT transfer.id::text, transfer.reference
FROM payments_transfer transfer
WHERE transfer.code = 'reward'
  AND (starts_with(transfer.reference, 'task:') OR starts_with(transfer.reference, 'referral:'))
  AND NOT EXISTS (SELECT FROM ads_taskclaim claim WHERE claim.transfer_id = transfer.id)
  AND NOT EXISTS (SELECT FROM ads_referral referral WHERE referral.transfer_id = transfer.id);

-- check: a campaign has spent what its claims gave
SELECT campaign.id::text, campaign.spent_coins || ' and ' || campaign.sandbox_spent_coins
FROM ads_taskcampaign campaign
LEFT JOIN (
    SELECT campaign_id, coalesce(sum(coins) FILTER (WHERE environment = 'production'), 0) AS spent,
           coalesce(sum(coins) FILTER (WHERE environment = 'sandbox'), 0) AS sandbox_spent
    FROM ads_taskclaim GROUP BY campaign_id
) given ON given.campaign_id = campaign.id
WHERE (campaign.spent_coins, campaign.sandbox_spent_coins)
   IS DISTINCT FROM (coalesce(given.spent, 0), coalesce(given.sandbox_spent, 0));

-- check: check-ins are for dates that follow each other
SELECT id::text, period
FROM (
    SELECT claim.id, claim.period, lag(claim.period) OVER (
        PARTITION BY claim.viewer_id, claim.environment, claim.task_id ORDER BY claim.created_at, claim.id
    ) AS before
    FROM ads_taskclaim claim WHERE claim.streak_day IS NOT NULL
) dated
WHERE period <= before;

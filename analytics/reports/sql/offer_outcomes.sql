-- name: offer_outcomes
-- Makes the table `offer_outcome`: what each decision on offers came to within a day. What was paid for
-- subscriptions is that of the viewer's last decision before, whatever the title.
-- $policy_id: text or null
-- $watermark: moment
-- $mature_until: moment
-- defines: offer_conversion, offer_revenue, offer_cannibalisation
CREATE OR REPLACE TEMP TABLE offer_outcome AS
WITH met AS (
    SELECT decision_id, viewer_id, episode_id, policy_id, policy, rule_place, rule_name, arm, shows_ad,
           ad_propensity, decided_at, decided_at <= $mature_until AS is_mature,
           lead(decided_at) OVER (PARTITION BY viewer_id ORDER BY decided_at, decision_id) AS next_at
    FROM offer_decisions
    WHERE decided_at < $watermark
), decision AS (
    SELECT * FROM met WHERE coalesce(policy_id = $policy_id, $policy_id IS NULL)
), opened AS (
    SELECT unlock_id AS opened_by, means, viewer_id, episode_id, created_at
    FROM unlocks
    WHERE unlocks.unlocks = 1
    UNION ALL
    SELECT entitlement_id, 'subscription', viewer_id, episode_id, created_at
    FROM covered
), first_opened AS (
    SELECT decision_id, means
    FROM decision
    JOIN opened
      ON opened.viewer_id = decision.viewer_id
     AND opened.episode_id = decision.episode_id
     AND created_at >= decided_at
     AND created_at < decided_at + INTERVAL 24 HOUR
    WHERE is_mature
    QUALIFY row_number() OVER (PARTITION BY decision_id ORDER BY created_at, opened_by) = 1
), spent AS (
    SELECT decision_id,
           coalesce(sum(value_micros) FILTER (WHERE unlocks.means = 'coins'), 0) AS coin_micros,
           coalesce(sum(value_micros) FILTER (WHERE unlocks.means = 'ad'), 0) AS ad_micros
    FROM decision
    JOIN unlocks
      ON unlocks.viewer_id = decision.viewer_id
     AND unlocks.episode_id = decision.episode_id
     AND unlocked_at >= decided_at
     AND unlocked_at < decided_at + INTERVAL 24 HOUR
     AND unlocks.created_at < $watermark
    WHERE is_mature
    GROUP BY decision_id
), subscribed AS (
    SELECT decision_id, sum(net_micros) AS subscription_micros
    FROM decision
    JOIN billings
      ON billings.viewer_id = decision.viewer_id
     AND billings.created_at >= decided_at
     AND billings.created_at < decided_at + INTERVAL 24 HOUR
     AND coalesce(billings.created_at < next_at, true)
    WHERE is_mature AND source = 'passes'
    GROUP BY decision_id
)
SELECT decision.decision_id, viewer_id, policy_id, policy, rule_place, rule_name, arm, shows_ad,
       ad_propensity, is_mature, means,
       CAST(coalesce(coin_micros, 0) AS DOUBLE) AS coin_micros,
       CAST(coalesce(subscription_micros, 0) AS DOUBLE) AS subscription_micros,
       CAST(coalesce(ad_micros, 0) AS DOUBLE) AS ad_micros
FROM decision
LEFT JOIN first_opened USING (decision_id)
LEFT JOIN spent USING (decision_id)
LEFT JOIN subscribed USING (decision_id)

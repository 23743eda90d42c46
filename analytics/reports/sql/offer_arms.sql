-- name: offer_arms
-- Decisions of each arm, how their episodes were opened, and what they earned, with the variance of each mean
-- by viewers.
-- defines: offer_conversion, offer_revenue
WITH by_viewer AS (
    SELECT policy_id, policy, rule_place, rule_name, arm, shows_ad, viewer_id,
           count(*) AS encounters,
           sum(coin_micros + subscription_micros) AS paid_micros,
           sum(ad_micros) AS ad_micros
    FROM offer_outcome
    WHERE is_mature
    GROUP BY policy_id, policy, rule_place, rule_name, arm, shows_ad, viewer_id
), mean AS (
    SELECT policy_id, rule_place, arm, shows_ad,
           sum(encounters) AS whole,
           sum(paid_micros) / sum(encounters) AS paid_mean,
           sum(ad_micros) / sum(encounters) AS ad_mean
    FROM by_viewer
    GROUP BY policy_id, rule_place, arm, shows_ad
), spread AS (
    SELECT policy_id, rule_place, arm, shows_ad,
           count(*) AS viewers,
           CAST(max(whole) AS DOUBLE) * max(whole) / sum(encounters * encounters) AS effective_viewers,
           sum((paid_micros - paid_mean * encounters) * (paid_micros - paid_mean * encounters))
               / max(whole) / max(whole) AS paid_variance,
           sum((by_viewer.ad_micros - ad_mean * encounters) * (by_viewer.ad_micros - ad_mean * encounters))
               / max(whole) / max(whole) AS ad_variance
    FROM by_viewer
    JOIN mean USING (policy_id, rule_place, arm, shows_ad)
    GROUP BY policy_id, rule_place, arm, shows_ad
), counted AS (
    SELECT policy_id, policy, rule_place, rule_name, arm, shows_ad,
           count(*) FILTER (WHERE is_mature) AS encounters,
           count(*) FILTER (WHERE NOT is_mature) AS immature,
           count(*) FILTER (WHERE means = 'coins') AS opened_by_coins,
           count(*) FILTER (WHERE means = 'ad') AS opened_by_ad,
           count(*) FILTER (WHERE means = 'subscription') AS opened_by_subscription,
           coalesce(sum(coin_micros) FILTER (WHERE is_mature), 0) AS coin_micros,
           coalesce(sum(subscription_micros) FILTER (WHERE is_mature), 0) AS subscription_micros,
           coalesce(sum(ad_micros) FILTER (WHERE is_mature), 0) AS ad_micros
    FROM offer_outcome
    GROUP BY policy_id, policy, rule_place, rule_name, arm, shows_ad
)
SELECT policy_id, policy, rule_place, rule_name, arm, shows_ad, encounters, immature,
       opened_by_coins, opened_by_ad, opened_by_subscription,
       coin_micros, subscription_micros, ad_micros,
       coalesce(viewers, 0) AS viewers,
       coalesce(effective_viewers, 0) AS effective_viewers, paid_variance, ad_variance
FROM counted
LEFT JOIN spread USING (policy_id, rule_place, arm, shows_ad)
ORDER BY policy_id, rule_place, arm, shows_ad

-- name: offer_cannibalisation
-- What decisions with the ad among what was shown earned, against those without it, each weighted by one over
-- its chance: by rule, and over all of them. Of decisions that could have gone either way.
-- defines: offer_cannibalisation
WITH weighed AS (
    SELECT policy_id, policy, rule_place, rule_name, viewer_id, shows_ad, ad_micros,
           coin_micros + subscription_micros AS paid_micros,
           CASE WHEN shows_ad THEN 1000000000.0 / ad_propensity
                ELSE 1000000000.0 / (1000000000 - ad_propensity) END AS weight
    FROM offer_outcome
    WHERE is_mature AND ad_propensity > 0 AND ad_propensity < 1000000000
), scoped AS (
    SELECT policy_id, policy, rule_place, rule_name, viewer_id, shows_ad, ad_micros, paid_micros, weight
    FROM weighed
    UNION ALL
    SELECT '', '', 0, '', viewer_id, shows_ad, ad_micros, paid_micros, weight
    FROM weighed
), by_viewer AS (
    SELECT policy_id, policy, rule_place, rule_name, viewer_id,
           count(*) FILTER (WHERE shows_ad) AS with_ad,
           count(*) FILTER (WHERE NOT shows_ad) AS without_ad,
           coalesce(sum(weight) FILTER (WHERE shows_ad), 0) AS with_weight,
           coalesce(sum(weight) FILTER (WHERE NOT shows_ad), 0) AS without_weight,
           coalesce(sum(weight * weight) FILTER (WHERE shows_ad), 0) AS with_squares,
           coalesce(sum(weight * weight) FILTER (WHERE NOT shows_ad), 0) AS without_squares,
           coalesce(sum(weight * paid_micros) FILTER (WHERE shows_ad), 0) AS with_paid,
           coalesce(sum(weight * paid_micros) FILTER (WHERE NOT shows_ad), 0) AS without_paid,
           coalesce(sum(weight * ad_micros) FILTER (WHERE shows_ad), 0) AS with_ads,
           coalesce(sum(weight * ad_micros) FILTER (WHERE NOT shows_ad), 0) AS without_ads,
           max(CASE WHEN shows_ad THEN weight ELSE 0 END) AS with_heaviest,
           max(CASE WHEN shows_ad THEN 0 ELSE weight END) AS without_heaviest
    FROM scoped
    GROUP BY policy_id, policy, rule_place, rule_name, viewer_id
), mean AS (
    SELECT policy_id, policy, rule_place, rule_name,
           sum(with_ad) AS with_ad, sum(without_ad) AS without_ad,
           sum(with_weight) AS with_whole, sum(without_weight) AS without_whole,
           sum(with_paid) / sum(with_weight) AS with_paid_mean,
           sum(without_paid) / sum(without_weight) AS without_paid_mean,
           sum(with_ads) / sum(with_weight) AS with_ads_mean,
           sum(without_ads) / sum(without_weight) AS without_ads_mean,
           sum(with_weight) * sum(with_weight) / sum(with_squares) AS with_effective,
           sum(without_weight) * sum(without_weight) / sum(without_squares) AS without_effective,
           max(with_heaviest) / sum(with_weight) AS with_share,
           max(without_heaviest) / sum(without_weight) AS without_share
    FROM by_viewer
    GROUP BY policy_id, policy, rule_place, rule_name
    HAVING sum(with_ad) > 0 AND sum(without_ad) > 0
), influence AS (
    SELECT policy_id, rule_place,
           (with_paid - with_paid_mean * with_weight) / with_whole
               - (without_paid - without_paid_mean * without_weight) / without_whole AS of_paid,
           (with_ads - with_ads_mean * with_weight) / with_whole
               - (without_ads - without_ads_mean * without_weight) / without_whole AS of_ads
    FROM by_viewer
    JOIN mean USING (policy_id, rule_place)
), spread AS (
    SELECT policy_id, rule_place,
           sum(of_paid * of_paid) AS paid_variance,
           sum(of_ads * of_ads) AS ads_variance
    FROM influence
    GROUP BY policy_id, rule_place
)
SELECT policy_id, policy, rule_place, rule_name, with_ad, without_ad,
       with_paid_mean, without_paid_mean, with_ads_mean, without_ads_mean,
       paid_variance, ads_variance,
       least(with_effective, without_effective) AS effective_size,
       greatest(with_share, without_share) AS heaviest_share
FROM mean
JOIN spread USING (policy_id, rule_place)
ORDER BY policy_id, rule_place

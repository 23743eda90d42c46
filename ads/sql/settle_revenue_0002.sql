-- The views of a network's day [p_start, p_end) with what each is estimated to have earned: a reward, by the
-- impressions of its session, or by the placement's estimate that it keeps where none was told of; or an
-- impression that no reward came of. A session that may be rewarded still is left for later: `waits_until`
-- is when that is over, with time for a callback that is under way.
--
-- Where the network's server has told of a viewer's impressions of an ad unit, the app's word for those
-- within twelve hours of one counts for nothing: they are the same ones, and views of their own are none. A
-- reward of which the app alone has told then keeps its estimate: the server's word for it was lost.
--
-- What an app says of a session that paid nothing is its viewer's and of no title: nobody else says that
-- there was an ad, and rankings of titles follow what is theirs. The network's server is believed that.
CREATE OR REPLACE FUNCTION ads_views_of_day(
    p_network text, p_environment text, p_start timestamptz, p_end timestamptz, p_now timestamptz
) RETURNS TABLE (
    subject_id uuid, reward_id uuid, impression_id uuid, viewer_id uuid, placement_id uuid,
    series_id uuid, episode_id uuid, unit text, country text, kept_micros bigint,
    estimated_micros bigint, viewed_at timestamptz, waits_until timestamptz
)
LANGUAGE sql STABLE AS $$
    WITH told AS (
        SELECT impression.id, impression.viewer_id, impression.session_id, impression.placement_id,
               impression.source, ads_unit(impression.ad_unit_id) AS unit, impression.country,
               impression.occurred_at, impression.revenue_micros AS micros,
               repeated.is_so AS is_repeated
        FROM ads_impression AS impression
        CROSS JOIN LATERAL (
            SELECT impression.source = 'client' AND EXISTS (
                SELECT FROM ads_impression AS word
                WHERE word.source = 'postback' AND word.network = p_network
                  AND word.environment = p_environment AND word.viewer_id = impression.viewer_id
                  AND ads_unit(word.ad_unit_id) = ads_unit(impression.ad_unit_id)
                  AND word.occurred_at > impression.occurred_at - interval '12 hours'
                  AND word.occurred_at < impression.occurred_at + interval '12 hours'
            ) AS is_so
        ) AS repeated
        WHERE impression.network = p_network AND impression.environment = p_environment
          -- A session lasts a day at most, and a reward may come at its end.
          AND impression.occurred_at >= p_start - interval '2 days'
          AND impression.occurred_at < p_end + interval '1 hour'
    ), measured AS (
        SELECT session_id, sum(micros) FILTER (WHERE NOT is_repeated)::bigint AS micros,
               max(country) AS country
        FROM told
        WHERE session_id IS NOT NULL
        GROUP BY session_id
    )
    SELECT session.id, reward.id, NULL::uuid, reward.viewer_id, reward.placement_id,
           reward.series_id, reward.episode_id, ads_unit(session.ad_unit_id),
           coalesce(measured.country, ''), reward.revenue_micros,
           coalesce(measured.micros, reward.revenue_micros), reward.created_at, NULL::timestamptz
    FROM ads_reward AS reward
    JOIN ads_adsession AS session ON session.id = reward.session_id
    LEFT JOIN measured ON measured.session_id = session.id
    WHERE reward.network = p_network AND reward.environment = p_environment
      AND reward.created_at >= p_start AND reward.created_at < p_end
    UNION ALL
    SELECT told.id, NULL, told.id, told.viewer_id, coalesce(session.placement_id, told.placement_id),
           CASE WHEN told.source = 'postback' THEN session.series_id END,
           CASE WHEN told.source = 'postback' THEN session.episode_id END,
           told.unit, told.country, 0, told.micros, told.occurred_at,
           CASE WHEN session.closed_at IS NULL AND session.expires_at > p_now - interval '10 minutes'
                THEN session.expires_at + interval '10 minutes' END
    FROM told
    LEFT JOIN ads_adsession AS session ON session.id = told.session_id
    WHERE session.rewarded_at IS NULL AND NOT told.is_repeated
      AND told.occurred_at >= p_start AND told.occurred_at < p_end
$$;

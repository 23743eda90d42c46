-- name: cohort_members
-- Makes the table `member`: each viewer with a first open, the local day of it, and the cohort, which is
-- the period of that day together with the stratum that is asked for.
-- $watermark: moment
-- $period_days: integer
-- $lead_days: integer
-- $split: text or null
-- $channel: text or null
-- $country: text or null
-- $platform: text or null
-- $first_series: text or null
-- $arm: text or null
-- defines: retention_calendar, retention_elapsed, retention_on_or_after, ltv
CREATE OR REPLACE TEMP TABLE member AS
WITH first_open AS (
    SELECT viewer_id,
           arg_min({'opened_at': occurred_at, 'channel': channel, 'country': country,
                    'platform': platform}, (occurred_at, event_id)) AS earliest
    FROM events
    WHERE type = 'app_open'
      AND environment = 'production'
      AND occurred_at < $watermark
      AND received_at < $watermark
    GROUP BY viewer_id
), placed AS (
    SELECT viewer_id, earliest.opened_at AS opened_at,
           earliest.channel AS channel, earliest.country AS country, earliest.platform AS platform,
           first_title.series_id AS first_series, met_arm.arm AS arm,
           (date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', earliest.opened_at) + shift_us)
               // 86400000000 AS opened_day
    FROM first_open
    JOIN zone_shifts ON earliest.opened_at >= starts_at AND earliest.opened_at < ends_at
    LEFT JOIN first_title USING (viewer_id)
    LEFT JOIN met_arm USING (viewer_id)
), stratified AS (
    SELECT viewer_id, opened_at, opened_day,
           (opened_day + $lead_days) // $period_days AS cohort,
           coalesce(CASE WHEN $split = 'channel' THEN channel
                         WHEN $split = 'country' THEN country
                         WHEN $split = 'platform' THEN platform
                         WHEN $split = 'first_series' THEN first_series
                         WHEN $split = 'arm' THEN arm END, '') AS stratum
    FROM placed
    WHERE coalesce(channel = $channel, $channel IS NULL)
      AND coalesce(country = $country, $country IS NULL)
      AND coalesce(platform = $platform, $platform IS NULL)
      AND coalesce(first_series = $first_series, $first_series IS NULL)
      AND coalesce(arm = $arm, $arm IS NULL)
)
-- By number: millions of pairs of small integers are told apart far faster than pairs of texts.
SELECT row_number() OVER (ORDER BY viewer_id) AS member,
       dense_rank() OVER (ORDER BY cohort, stratum) AS cell,
       viewer_id, opened_at, opened_day, cohort, stratum
FROM stratified

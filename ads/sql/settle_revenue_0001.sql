-- What an ad unit is compared by: AdMob writes `ca-app-pub-1/2` in one place and `2` in another.
CREATE FUNCTION ads_unit(p_ad_unit text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT regexp_replace(p_ad_unit, '^.*/', '') $$;


-- The views of a network's day [p_start, p_end) with what each is estimated to have earned: a reward, by the
-- impressions of its session, or by the placement's estimate that it keeps where none was told of; or an
-- impression that no reward came of. A session that may be rewarded still is left for later: `waits_until`
-- is when that is over, with time for a callback that is under way.
--
-- Where the network's server has told of a viewer's impressions of an ad unit, the app's word for those
-- within twelve hours of one counts for nothing: they are the same ones, and views of their own are none.
CREATE FUNCTION ads_views_of_day(
    p_network text, p_environment text, p_start timestamptz, p_end timestamptz, p_now timestamptz
) RETURNS TABLE (
    subject_id uuid, reward_id uuid, impression_id uuid, viewer_id uuid, placement_id uuid,
    series_id uuid, episode_id uuid, unit text, country text, kept_micros bigint,
    estimated_micros bigint, viewed_at timestamptz, waits_until timestamptz
)
LANGUAGE sql STABLE AS $$
    WITH told AS (
        SELECT impression.id, impression.viewer_id, impression.session_id, impression.placement_id,
               ads_unit(impression.ad_unit_id) AS unit, impression.country, impression.occurred_at,
               repeated.is_so AS is_repeated,
               CASE WHEN repeated.is_so THEN 0 ELSE impression.revenue_micros END AS micros
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
        SELECT session_id, sum(micros)::bigint AS micros, max(country) AS country
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
           session.series_id, session.episode_id, told.unit, told.country, 0, told.micros,
           told.occurred_at,
           CASE WHEN session.closed_at IS NULL AND session.expires_at > p_now - interval '10 minutes'
                THEN session.expires_at + interval '10 minutes' END
    FROM told
    LEFT JOIN ads_adsession AS session ON session.id = told.session_id
    WHERE session.rewarded_at IS NULL AND NOT told.is_repeated
      AND told.occurred_at >= p_start AND told.occurred_at < p_end
$$;


-- What a network reports of one of its days: of each scope the latest version.
CREATE FUNCTION ads_reported_lines(p_network text, p_environment text, p_day date)
RETURNS TABLE (unit text, country text, micros bigint)
LANGUAGE sql STABLE AS $$
    SELECT ads_unit(line.ad_unit_id), line.country, sum(line.revenue_micros)::bigint
    FROM ads_reportline AS line
    JOIN ads_reportedday AS reported ON reported.id = line.reported_day_id
    WHERE p_environment = 'production' AND reported.network = p_network AND reported.day = p_day
      AND reported.version = (
          SELECT max(version) FROM ads_reportedday AS version
          WHERE version.network = reported.network AND version.scope = reported.scope
            AND version.day = reported.day)
    GROUP BY ads_unit(line.ad_unit_id), line.country
$$;


-- The placement that has an ad unit, if one alone has it.
CREATE FUNCTION ads_placement_of_unit(p_network text, p_unit text) RETURNS uuid
LANGUAGE sql STABLE AS $$
    SELECT (array_agg(id))[1] FROM ads_placement
    WHERE network = p_network AND ads_unit(ad_unit_id) = p_unit
    HAVING count(*) = 1
$$;


-- A day's views with their share of its report, and beside them its cells with what no view of theirs has.
--
-- A cell is an ad unit and a country. A country that the report or the estimates alone have goes into the ad
-- unit's cell without a country, and an ad unit that the report does not name into the day's without either. An
-- ad unit of which something was estimated in no country that the report has, while each of the report's has
-- its own, is one cell: or those views would be taken to have earned nothing.
--
-- The factor of a cell is R / sum of I: what the report has of it by what was estimated of it. A view's share is
-- its estimate times that, rounded; of a cell in which nothing was estimated its rewards have the same each.
-- What rounding leaves over, and all of a cell without views, is the cell's own. So a reported day earns exactly
-- what the report says.
CREATE FUNCTION ads_shares_of_day(
    p_day ads_revenueday, p_start timestamptz, p_end timestamptz, p_now timestamptz
) RETURNS TABLE (
    is_cell boolean, subject_id uuid, reward_id uuid, impression_id uuid, viewer_id uuid,
    placement_id uuid, series_id uuid, episode_id uuid, unit text, country text, kept_micros bigint,
    estimated_micros bigint, reported_micros bigint, earned_micros bigint, viewed_at timestamptz
)
LANGUAGE sql STABLE AS $$
    WITH viewed AS MATERIALIZED (
        SELECT * FROM ads_views_of_day(p_day.network, p_day.environment, p_start, p_end, p_now)
        WHERE waits_until IS NULL
    ), told AS MATERIALIZED (
        SELECT told.unit, told.country, told.micros, EXISTS (
                   SELECT FROM viewed
                   WHERE viewed.unit = told.unit AND viewed.country = told.country
                     AND viewed.estimated_micros > 0) AS is_matched
        FROM ads_reported_lines(p_day.network, p_day.environment, p_day.day) AS told
    ), whole AS (
        SELECT viewed.unit
        FROM viewed
        JOIN (SELECT unit FROM told GROUP BY unit HAVING every(is_matched OR micros = 0)) AS told
          ON told.unit = viewed.unit
        LEFT JOIN told AS matched
          ON matched.unit = viewed.unit AND matched.country = viewed.country
         AND matched.is_matched
        WHERE matched.unit IS NULL AND viewed.estimated_micros > 0
    ), line AS MATERIALIZED (
        SELECT unit, country, micros,
               is_matched AND unit NOT IN (SELECT unit FROM whole) AS is_matched
        FROM told
    ), placed AS (
        SELECT viewed.*,
               CASE WHEN viewed.unit IN (SELECT unit FROM line) THEN viewed.unit ELSE '' END
                   AS cell_unit,
               CASE WHEN line.is_matched THEN viewed.country ELSE '' END AS cell_country
        FROM viewed
        LEFT JOIN line ON line.unit = viewed.unit AND line.country = viewed.country
    ), cell AS (
        SELECT unit, country, sum(estimated)::bigint AS estimated, sum(reported)::bigint AS reported,
               count(reward) AS rewards
        FROM (
            SELECT cell_unit, cell_country, estimated_micros, 0, reward_id FROM placed
            UNION ALL
            SELECT unit, CASE WHEN is_matched THEN country ELSE '' END, 0, micros, NULL FROM line
            UNION ALL
            -- One that is no more: what was in it is in another.
            SELECT ad_unit_id, country, 0, 0, NULL FROM ads_trueup WHERE revenue_day_id = p_day.id
        ) AS side (unit, country, estimated, reported, reward)
        GROUP BY unit, country
    ), shared AS (
        SELECT placed.*, round(CASE
                   WHEN cell.estimated > 0
                   THEN placed.estimated_micros::numeric * cell.reported / cell.estimated
                   WHEN placed.reward_id IS NOT NULL THEN cell.reported::numeric / cell.rewards
                   ELSE 0 END)::bigint AS earned
        FROM placed
        JOIN cell ON cell.unit = placed.cell_unit AND cell.country = placed.cell_country
    )
    SELECT false, subject_id, reward_id, impression_id, viewer_id, placement_id, series_id,
           episode_id, unit, country, kept_micros, estimated_micros, NULL::bigint, earned, viewed_at
    FROM shared
    UNION ALL
    SELECT true, md5(p_day.id || ' ' || cell.unit || ' ' || cell.country)::uuid, NULL, NULL, NULL,
           ads_placement_of_unit(p_day.network, cell.unit), NULL, NULL, cell.unit, cell.country, 0,
           cell.estimated, cell.reported,
           cell.reported - coalesce((
               SELECT sum(earned) FROM shared
               WHERE cell_unit = cell.unit AND cell_country = cell.country), 0)::bigint,
           p_start + (p_end - p_start) / 2
    FROM cell
$$;


-- Books what has become known of a network's day since it was settled last: of each view the difference between
-- its impressions and the estimate that its reward keeps (`measured`), and, once the network has reported the
-- day, that between its share of the report and its estimate (`reported`); and what each cell came to. Safe to
-- repeat: what is booked already is not booked again. Returns how many corrections were written.
--
-- What was booked of an impression goes back where it is no view any more: its session was rewarded late, or
-- the network's server told of it too.
--
-- A report is of production, since a network knows of no sandbox. The day's row is locked first, so that
-- of two callers the second sees what the first has booked.
CREATE FUNCTION ads_settle_revenue(
    p_network text, p_environment text, p_day date, p_start timestamptz, p_end timestamptz,
    p_now timestamptz
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_day ads_revenueday;
    v_is_reported boolean;
    v_written integer;
BEGIN
    SELECT * INTO STRICT v_day FROM ads_revenueday
    WHERE network = p_network AND environment = p_environment AND day = p_day
    FOR UPDATE;
    v_is_reported := p_environment = 'production' AND EXISTS (
        SELECT FROM ads_reportedday WHERE network = p_network AND day = p_day);

    WITH share AS MATERIALIZED (
        SELECT * FROM ads_shares_of_day(v_day, p_start, p_end, p_now)
    ), known AS (
        SELECT DISTINCT ON (ad_unit_id, country) * FROM ads_trueup
        WHERE revenue_day_id = v_day.id
        ORDER BY ad_unit_id, country, number DESC
    ), trued AS (
        INSERT INTO ads_trueup
            (id, revenue_day_id, ad_unit_id, country, number, placement_id, estimated_micros,
             reported_micros, factor, created_at)
        SELECT uuidv7(), v_day.id, share.unit, share.country, coalesce(known.number, 0) + 1,
               share.placement_id, share.estimated_micros, share.reported_micros,
               round(share.reported_micros::numeric / nullif(share.estimated_micros, 0), 10), p_now
        FROM share
        LEFT JOIN known ON known.ad_unit_id = share.unit AND known.country = share.country
        WHERE v_is_reported AND share.is_cell
          AND (share.estimated_micros, share.reported_micros)
              IS DISTINCT FROM (known.estimated_micros, known.reported_micros)
    ), goal AS (
        SELECT share.*, 'measured' AS basis, estimated_micros AS comes_to,
               estimated_micros - kept_micros AS micros
        FROM share WHERE NOT is_cell
        UNION ALL
        SELECT share.*, 'reported', earned_micros,
               CASE WHEN is_cell THEN earned_micros ELSE earned_micros - estimated_micros END
        FROM share WHERE v_is_reported
        UNION ALL
        SELECT DISTINCT ON (former.subject_id, former.basis)
               false, former.subject_id, NULL::uuid, former.impression_id, former.viewer_id,
               former.placement_id, former.series_id, former.episode_id, '', '', 0::bigint, 0::bigint,
               NULL::bigint, 0::bigint, former.viewed_at, former.basis, 0::bigint, 0::bigint
        FROM ads_earningcorrection AS former
        WHERE former.revenue_day_id = v_day.id AND former.impression_id IS NOT NULL
          AND NOT EXISTS (SELECT FROM share WHERE share.subject_id = former.subject_id)
    ), booked AS (
        SELECT subject_id, basis, sum(difference_micros)::bigint AS micros, max(number) AS number
        FROM ads_earningcorrection
        WHERE revenue_day_id = v_day.id
        GROUP BY subject_id, basis
    )
    INSERT INTO ads_earningcorrection
        (id, revenue_day_id, subject_id, basis, number, reward_id, impression_id, network,
         environment, viewer_id, placement_id, series_id, episode_id, earned_micros,
         difference_micros, viewed_at, created_at)
    SELECT uuidv7(), v_day.id, goal.subject_id, goal.basis, coalesce(booked.number, 0) + 1,
           goal.reward_id, goal.impression_id, p_network, p_environment, goal.viewer_id,
           goal.placement_id, goal.series_id, goal.episode_id, goal.comes_to,
           goal.micros - coalesce(booked.micros, 0), goal.viewed_at, p_now
    FROM goal
    LEFT JOIN booked USING (subject_id, basis)
    WHERE goal.micros <> coalesce(booked.micros, 0)
       -- One that earned nothing was shown all the same.
       OR (goal.basis = 'measured' AND goal.impression_id IS NOT NULL AND booked.number IS NULL);
    GET DIAGNOSTICS v_written = ROW_COUNT;

    PERFORM ads_expect_next_day(p_network, p_environment, p_day, p_start, p_end);
    UPDATE ads_revenueday SET
        settled_at = p_now,
        waits_until = (
            SELECT min(waits_until)
            FROM ads_views_of_day(p_network, p_environment, p_start, p_end, p_now))
    WHERE id = v_day.id;
    RETURN v_written;
END $$;


-- A reward that came after midnight is of another day than the impression that measures it.
CREATE FUNCTION ads_expect_next_day(
    p_network text, p_environment text, p_day date, p_start timestamptz, p_end timestamptz
) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO ads_revenueday (id, network, environment, day)
    SELECT uuidv7(), p_network, p_environment, p_day + 1
    WHERE EXISTS (
        SELECT FROM ads_impression AS impression
        JOIN ads_reward AS reward ON reward.session_id = impression.session_id
        WHERE impression.network = p_network AND impression.environment = p_environment
          AND impression.occurred_at >= p_start AND impression.occurred_at < p_end
          AND reward.created_at >= p_end)
    ON CONFLICT (network, environment, day) DO NOTHING
$$;

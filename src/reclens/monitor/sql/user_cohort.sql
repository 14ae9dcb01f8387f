-- What each user did in a day.
-- Reads impressions.
SELECT
    day,
    CAST(user_id AS VARCHAR) AS user_id,
    any_value(segment) AS segment,
    bool_or(new_user) AS new_user,
    count(DISTINCT request_id) AS requests,
    count(item_id) AS impressions,
    count(*) FILTER (WHERE clicked) AS clicks,
    count(*) FILTER (WHERE converted) AS conversions
FROM impressions
WHERE user_id IS NOT NULL
GROUP BY day, user_id

-- What each user did in a day.
-- Reads impressions.
WITH requested AS (
    SELECT
        day,
        user_id,
        request_id,
        any_value(segment) AS segment,
        bool_or(new_user) AS new_user,
        count(item_id) AS impressions,
        count(*) FILTER (WHERE clicked) AS clicks,
        count(*) FILTER (WHERE converted) AS conversions
    FROM impressions
    WHERE user_id IS NOT NULL
    GROUP BY day, user_id, request_id
)

SELECT
    day,
    CAST(user_id AS VARCHAR) AS user_id,
    any_value(segment) AS segment,
    bool_or(new_user) AS new_user,
    count(request_id) AS requests,
    CAST(sum(impressions) AS BIGINT) AS impressions,
    CAST(sum(clicks) AS BIGINT) AS clicks,
    CAST(sum(conversions) AS BIGINT) AS conversions
FROM requested
GROUP BY day, user_id

-- Who is active how much: one row a user, the most active first.
--
-- Reads       events(user_id, item_id, timestamp, rating)
-- Gives       user_id, events, items, active_days, first_at, last_at, mean_rating
-- Same as     a group_by of user_id; the counts that rl.profile(data) draws its quantiles from
-- Parameters
--   $at_least = 1    fewest events a user
--
-- A day is a day of Coordinated Universal Time.

SELECT
    user_id,
    CAST(count(*) AS BIGINT) AS events,
    CAST(count(DISTINCT item_id) AS BIGINT) AS items,
    CAST(count(DISTINCT CAST(timestamp AS DATE)) AS BIGINT) AS active_days,
    min(timestamp) AS first_at,
    max(timestamp) AS last_at,
    avg(rating) AS mean_rating
FROM events
GROUP BY user_id
HAVING count(*) >= $at_least
ORDER BY events DESC, user_id

-- One row a user and item out of an event log with repeats: how often, when first and last, and how it was rated last.
--
-- Reads       events(user_id, item_id, timestamp, rating, weight)
-- Gives       user_id, item_id, events, weight, rating, first_at, last_at
-- Same as     a group_by of user_id and item_id of data.events; what read(…, duplicates="last") keeps of the rating
--
-- The rating is that of the latest event that has one; of several at one moment it is the highest, because the order of
-- a log says nothing about what came last.

WITH ordered AS (
    SELECT
        *,
        -- An event without a time precedes all others; one without a rating has none to give.
        row_number() OVER (
            PARTITION BY user_id, item_id
            ORDER BY CASE WHEN rating IS NULL THEN 1 ELSE 0 END, timestamp DESC NULLS LAST, rating DESC
        ) AS place
    FROM events
)

SELECT
    user_id,
    item_id,
    CAST(count(*) AS BIGINT) AS events,
    sum(coalesce(weight, 1.0)) AS weight,
    max(CASE WHEN place = 1 THEN rating END) AS rating,
    min(timestamp) AS first_at,
    max(timestamp) AS last_at
FROM ordered
GROUP BY user_id, item_id
ORDER BY user_id, item_id

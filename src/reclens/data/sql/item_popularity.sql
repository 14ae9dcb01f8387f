-- Which items are popular, and how long the tail is: one row an item, the most popular first.
--
-- Reads       events(user_id, item_id, rating)
-- Gives       item_id, events, users, share, cumulative_share, item_rank, mean_rating
-- Same as     a group_by of item_id; rl.profile(data)'s head share is a cumulative_share
-- Parameters
--   $at_least = 1    fewest events an item; shares are of all events all the same
--
-- Items with equally many events stand in the order of their ids, and have ranks of their own.

WITH counted AS (
    SELECT
        item_id,
        CAST(count(*) AS BIGINT) AS events,
        CAST(count(DISTINCT user_id) AS BIGINT) AS users,
        avg(rating) AS mean_rating
    FROM events
    GROUP BY item_id
),

ranked AS (
    SELECT
        *,
        CAST(sum(events) OVER () AS BIGINT) AS all_events,
        CAST(sum(events) OVER (ORDER BY events DESC, item_id ROWS UNBOUNDED PRECEDING) AS BIGINT) AS events_so_far,
        row_number() OVER (ORDER BY events DESC, item_id) AS item_rank
    FROM counted
)

SELECT
    item_id,
    events,
    users,
    events / all_events AS share,
    events_so_far / all_events AS cumulative_share,
    item_rank,
    mean_rating
FROM ranked
WHERE events >= $at_least
ORDER BY item_rank

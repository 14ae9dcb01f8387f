-- A segment table: who keeps to the most popular items and who to the long tail.
--
-- Reads       events(user_id, item_id)
-- Gives       user_id, head_share, label
-- Same as     segments.mainstreamness()
-- Parameters
--   $labels = ["niche", "balanced", "mainstream"]    names of the groups, from tail to head
--   $head_share = 0.2                                share of the items that make the head, rounded up
--
-- Items that tie with the last one of the head belong to it too. A user's value is the share of the events that are
-- with the head; groups are made as in segment_activity.

WITH popularity AS (
    SELECT item_id, count(*) AS events
    FROM events
    GROUP BY item_id
),

head AS (
    SELECT item_id
    FROM popularity
    -- rank() < the size of the head + 1 keeps the ties of the last one, because they have its rank.
    QUALIFY rank() OVER (ORDER BY events DESC) <= ceil($head_share * count(*) OVER () - 1e-9)
),

shares AS (
    SELECT
        events.user_id,
        count(head.item_id) / count(*) AS head_share
    FROM events
    LEFT JOIN head ON events.item_id = head.item_id
    GROUP BY events.user_id
),

placed AS (
    SELECT
        *,
        (rank() OVER (ORDER BY head_share) - 1) * len($labels) // count(*) OVER () AS place
    FROM shares
)

SELECT
    user_id,
    head_share,
    list_extract($labels, place + 1) AS label
FROM placed
ORDER BY user_id

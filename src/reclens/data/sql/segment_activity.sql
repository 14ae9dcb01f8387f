-- A segment table: light, medium and heavy users, equally many of each as nearly as ties allow.
--
-- Reads       events(user_id)
-- Gives       user_id, n_interactions, label
-- Same as     segments.quantiles("n_interactions", ["light", "medium", "heavy"])
-- Parameters
--   $labels = ["light", "medium", "heavy"]    names of the groups, lowest first
--
-- With m labels a user is in group floor(m * share of users with fewer events), so that equally active users
-- are never parted. rank() - 1 is the number of users with fewer events.

WITH activity AS (
    SELECT user_id, CAST(count(*) AS BIGINT) AS n_interactions
    FROM events
    GROUP BY user_id
),

placed AS (
    SELECT
        *,
        (rank() OVER (ORDER BY n_interactions) - 1) * len($labels) // count(*) OVER () AS place
    FROM activity
)

SELECT
    user_id,
    n_interactions,
    list_extract($labels, place + 1) AS label
FROM placed
ORDER BY user_id

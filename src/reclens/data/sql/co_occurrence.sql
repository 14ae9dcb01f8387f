-- Which items go together: pairs of items with the users they share, Jaccard similarity and lift.
--
-- Reads       events(user_id, item_id)
-- Gives       item_a, item_b, users, jaccard, lift
-- Same as     X'X of the user-item matrix X of ones, above the diagonal
-- Parameters
--   $at_least = 2       fewest users a pair
--   $max_items = 500    users with more items than that are left out: each brings the square of it in pairs
--
-- jaccard = shared / (users of a + users of b - shared).
-- lift = shared * all users / (users of a * users of b): how many times more users share the two than if they had been
-- chosen independently.
-- Each user counts once an item. The users that $max_items leaves out are left out of every count.

WITH pairs AS (
    SELECT DISTINCT user_id, item_id FROM events
),

kept AS (
    SELECT user_id, item_id FROM pairs
    QUALIFY count(*) OVER (PARTITION BY user_id) <= $max_items
),

items_users AS (
    SELECT item_id, count(*) AS users FROM kept GROUP BY item_id
),

shared AS (
    SELECT
        a.item_id AS item_a,
        b.item_id AS item_b,
        CAST(count(*) AS BIGINT) AS users
    FROM kept AS a
    INNER JOIN kept AS b ON a.user_id = b.user_id AND a.item_id < b.item_id
    GROUP BY a.item_id, b.item_id
    HAVING count(*) >= $at_least
)

SELECT
    shared.item_a,
    shared.item_b,
    shared.users,
    shared.users / (a.users + b.users - shared.users) AS jaccard,
    (shared.users * (SELECT count(DISTINCT user_id) FROM kept)) / (a.users * b.users) AS lift
FROM shared
INNER JOIN items_users AS a ON shared.item_a = a.item_id
INNER JOIN items_users AS b ON shared.item_b = b.item_id
ORDER BY shared.users DESC, item_a, item_b

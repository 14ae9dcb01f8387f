-- The user-item interaction matrix: one row a cell, by codes, in the order of a compressed sparse row matrix.
--
-- Reads       events(user_id, item_id, weight)
-- Gives       user_code, item_code, user_id, item_id, events, value
-- Same as     data.matrix(), and data.matrix(values="weight") of read(…, duplicates="sum")
--
-- Codes count the users and items that have an event, from 0 in the order of their ids; so that equal sets of ids get
-- equal codes, whatever the order of the events. An event without a weight counts 1.

WITH cells AS (
    SELECT
        user_id,
        item_id,
        CAST(count(*) AS BIGINT) AS events,
        sum(coalesce(weight, 1.0)) AS value
    FROM events
    GROUP BY user_id, item_id
)
SELECT
    dense_rank() OVER (ORDER BY user_id) - 1 AS user_code,
    dense_rank() OVER (ORDER BY item_id) - 1 AS item_code,
    user_id,
    item_id,
    events,
    value
FROM cells
ORDER BY user_code, item_code

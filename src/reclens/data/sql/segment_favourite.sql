-- A segment table: each user's favourite value of an item attribute, such as a favourite genre.
--
-- Reads       events(user_id, item_id), item_values(item_id, attribute: a list of text)
-- Gives       user_id, label, share
-- Same as     segments.top_value("genres")
-- Parameters
--   column = "genres"    the column of the items that is bound as item_values.attribute
--
-- An event counts one in all: an item with three genres gives a third to each, an item without one gives nothing.
-- Equal shares go to the value that is more frequent over all events, and then to the first in the alphabet. Shares are
-- compared to nine decimals, so that the rounding of thirds decides nothing. Users whose items have no value are left
-- out.

WITH values_of_items AS (
    SELECT DISTINCT item_values.item_id, value
    FROM item_values
    CROSS JOIN unnest(item_values.attribute) AS listed (value)
    WHERE value IS NOT NULL
),

weights AS (
    SELECT item_id, value, CAST(1 AS DOUBLE) / count(*) OVER (PARTITION BY item_id) AS weight
    FROM values_of_items
),

profile AS (
    SELECT events.user_id, weights.value, sum(weights.weight) AS weight
    FROM events
    INNER JOIN weights ON events.item_id = weights.item_id
    GROUP BY events.user_id, weights.value
),

overall AS (
    SELECT value, round(sum(weight), 9) AS weight
    FROM profile
    GROUP BY value
),

ranked AS (
    SELECT
        profile.user_id,
        profile.value,
        profile.weight / sum(profile.weight) OVER (PARTITION BY profile.user_id) AS share,
        row_number() OVER (
            PARTITION BY profile.user_id
            ORDER BY round(profile.weight, 9) DESC, overall.weight DESC, profile.value
        ) AS place
    FROM profile
    INNER JOIN overall ON profile.value = overall.value
)

SELECT user_id, value AS label, share
FROM ranked
WHERE place = 1
ORDER BY user_id

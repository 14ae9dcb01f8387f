-- Rows that repeat an item of the same list, by every combination of the slices of a list.
-- Reads impressions.
WITH repeats AS (
    SELECT request_id, item_id, count(*) AS n
    FROM impressions
    WHERE item_id IS NOT NULL
    GROUP BY request_id, item_id
    HAVING count(*) > 1
)

SELECT
    surface,
    model,
    model_version,
    variant,
    segment,
    sum((n - 1) / n) AS repeated
FROM impressions
INNER JOIN repeats USING (request_id, item_id)
GROUP BY ALL

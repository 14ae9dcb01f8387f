-- Rows that repeat an item of the same list, by every combination of the slices of a list.
-- Reads impressions.
WITH repeats AS (
    SELECT day, request_id, item_id, count(*) AS n
    FROM impressions
    WHERE item_id IS NOT NULL
    GROUP BY day, request_id, item_id
    HAVING count(*) > 1
)

SELECT
    day,
    surface,
    model,
    model_version,
    variant,
    segment,
    sum(CAST(n - 1 AS DOUBLE PRECISION) / n) AS repeated
FROM impressions
INNER JOIN repeats USING (day, request_id, item_id)
GROUP BY day, surface, model, model_version, variant, segment

-- How often each item was shown and clicked, over the whole day and by each slice of a list.
-- Reads impressions.
SELECT
    day,
    CAST(item_id AS VARCHAR) AS item_id,
    -- The most significant bit is that of the first column; a bit is 0 where the row is of a slice of that column.
    CASE GROUPING(surface, model, model_version, variant, segment, retriever)
        WHEN 63 THEN 'overall'
        WHEN 31 THEN 'surface'
        WHEN 47 THEN 'model'
        WHEN 55 THEN 'model_version'
        WHEN 59 THEN 'variant'
        WHEN 61 THEN 'segment'
        WHEN 62 THEN 'retriever'
    END AS dimension,
    CASE GROUPING(surface, model, model_version, variant, segment, retriever)
        WHEN 63 THEN 'all'
        ELSE coalesce(surface, model, model_version, variant, segment, retriever)
    END AS slice,
    count(*) AS shown,
    count(*) FILTER (WHERE clicked) AS clicks
FROM impressions
WHERE item_id IS NOT NULL
GROUP BY GROUPING SETS (
    (day, item_id),
    (day, item_id, surface),
    (day, item_id, model),
    (day, item_id, model_version),
    (day, item_id, variant),
    (day, item_id, segment),
    (day, item_id, retriever)
)

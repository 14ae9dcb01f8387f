-- One row a list: what was shown in it, and what was clicked.
-- Reads impressions. NDCG, hit rate and reciprocal rank are of lists with a click at a known place.
-- Diversity is the share of pairs of different category among all pairs of a list whose categories are known.
-- Parameters
--   $cutoff = 10        places that NDCG looks at
WITH pairs AS (
    SELECT
        request_id,
        sum(n) AS items,
        sum(n * (n - 1)) AS alike
    FROM (
        SELECT request_id, category, count(*) AS n FROM impressions WHERE category IS NOT NULL GROUP BY ALL
    )
    GROUP BY request_id
),

lists AS (
    SELECT
        request_id,
        any_value(surface) AS surface,
        any_value(model) AS model,
        any_value(model_version) AS model_version,
        any_value(variant) AS variant,
        any_value(segment) AS segment,
        min(timestamp) AS timestamp,
        any_value(latency_ms) AS latency_ms,
        any_value(new_user) AS new_user,
        count(item_id) AS items,
        count(*) FILTER (WHERE clicked) AS clicks,
        min(position) FILTER (WHERE clicked) AS first_click,
        coalesce(sum(1 / log2(position + 1)) FILTER (WHERE clicked AND position BETWEEN 1 AND $cutoff), 0) AS dcg
    FROM impressions
    GROUP BY request_id
)

SELECT
    lists.*,
    first_click >= 1 AS has_click,
    dcg / list_sum(list_transform(range(1, least(clicks, $cutoff) + 1), lambda place: 1 / log2(place + 1))) AS ndcg,
    1 / first_click AS reciprocal_rank,
    CASE WHEN pairs.items > 1 THEN 1 - pairs.alike / (pairs.items * (pairs.items - 1)) END AS diversity
FROM lists
LEFT JOIN pairs USING (request_id)

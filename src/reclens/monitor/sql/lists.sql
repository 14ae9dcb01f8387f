-- One row a list: what was shown in it, and what was clicked.
-- Reads impressions. NDCG, hit rate and reciprocal rank are of lists with a click at a known place.
-- Diversity is the share of pairs of different category among all pairs of a list whose categories are known.
-- A logarithm to the base 2 is a ratio of natural ones, which every database has.
-- Parameters
--   $cutoff = 10        places that NDCG looks at
WITH pairs AS (
    SELECT
        day,
        request_id,
        sum(n) AS items,
        sum(n * (n - 1)) AS alike
    FROM (
        SELECT day, request_id, category, count(*) AS n
        FROM impressions
        WHERE category IS NOT NULL
        GROUP BY day, request_id, category
    ) AS categories
    GROUP BY day, request_id
),

gathered AS (
    SELECT
        day,
        request_id,
        any_value(surface) AS surface,
        any_value(model) AS model,
        any_value(model_version) AS model_version,
        any_value(variant) AS variant,
        any_value(segment) AS segment,
        min(timestamp) AS timestamp,
        any_value(latency_ms) AS latency_ms,
        bool_or(new_user) AS new_user,
        count(item_id) AS items,
        count(*) FILTER (WHERE clicked) AS clicks,
        min(position) FILTER (WHERE clicked) AS first_click,
        coalesce(
            sum(ln(CAST(2 AS DOUBLE PRECISION)) / nullif(ln(CAST(position + 1 AS DOUBLE PRECISION)), 0))
                FILTER (WHERE clicked AND position BETWEEN 1 AND $cutoff),
            0
        ) AS dcg
    FROM impressions
    GROUP BY day, request_id
),

-- DCG of a list whose first places are all clicked.
best AS (
    SELECT
        place,
        sum(ln(CAST(2 AS DOUBLE PRECISION)) / ln(CAST(place + 1 AS DOUBLE PRECISION))) OVER (ORDER BY place) AS dcg
    FROM generate_series(1, $cutoff) AS places (place)
)

SELECT
    gathered.*,
    gathered.first_click >= 1 AS has_click,
    gathered.dcg / best.dcg AS ndcg,
    CAST(1 AS DOUBLE PRECISION) / nullif(gathered.first_click, 0) AS reciprocal_rank,
    CASE
        WHEN pairs.items > 1
            THEN 1 - CAST(pairs.alike AS DOUBLE PRECISION) / CAST(pairs.items * (pairs.items - 1) AS DOUBLE PRECISION)
    END AS diversity
FROM gathered
LEFT JOIN best ON best.place = least(gathered.clicks, $cutoff)
LEFT JOIN pairs ON pairs.day = gathered.day AND pairs.request_id = gathered.request_id

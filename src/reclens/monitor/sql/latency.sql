-- Latency of lists in bins an eighth of a doubling wide: bin b holds 2^(b/8) to 2^((b+1)/8) milliseconds.
-- Reads lists.
SELECT
    day,
    'latency_ms' AS "column",
    surface,
    model,
    model_version,
    variant,
    segment,
    CAST(
        -- What is added keeps a power of 2 in the bin that it begins: the ratio may fall short of it by a rounding.
        floor(8 * ln(greatest(latency_ms, CAST(0.001 AS DOUBLE PRECISION))) / ln(CAST(2 AS DOUBLE PRECISION)) + 1e-9)
        AS INTEGER
    ) AS bin,
    count(*) AS n,
    0 AS clicks,
    CAST(0 AS DOUBLE PRECISION) AS total
FROM lists
WHERE latency_ms IS NOT NULL
GROUP BY day, surface, model, model_version, variant, segment, bin

-- Latency of lists in bins an eighth of a doubling wide: bin b holds 2^(b/8) to 2^((b+1)/8) milliseconds.
-- Reads lists.
SELECT
    'latency_ms' AS "column",
    surface,
    model,
    model_version,
    variant,
    segment,
    CAST(floor(8 * log2(greatest(latency_ms, 0.001))) AS INTEGER) AS bin,
    count(*) AS n,
    0 AS clicks,
    CAST(0 AS DOUBLE) AS total
FROM lists
WHERE latency_ms IS NOT NULL
GROUP BY ALL

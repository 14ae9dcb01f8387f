-- What each stage of the pipeline lost in a day: sums alone.
-- Reads stage_log (day, timestamp, request_id, stage, relevant, lost, latency_ms).
SELECT
    day,
    'stage' AS what,
    CAST(stage AS VARCHAR) AS name,
    count(*) AS n,
    0 AS total,
    0 AS squared,
    0 AS "empty",
    coalesce(sum(relevant) FILTER (WHERE lost IS NOT NULL), 0) AS relevant,
    coalesce(sum(lost) FILTER (WHERE relevant IS NOT NULL), 0) AS lost
FROM stage_log
WHERE stage IS NOT NULL
GROUP BY day, stage

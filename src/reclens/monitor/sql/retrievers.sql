-- What each retriever brought to the requests of a day: sums alone.
-- Reads retriever_log (day, timestamp, request_id, retriever, candidates, latency_ms).
SELECT
    day,
    'retriever' AS what,
    CAST(retriever AS VARCHAR) AS name,
    count(candidates) AS n,
    coalesce(sum(candidates), 0) AS total,
    coalesce(sum(CAST(candidates AS DOUBLE PRECISION) * candidates), 0) AS squared,
    count(*) FILTER (WHERE candidates = 0) AS "empty",
    0 AS relevant,
    0 AS lost
FROM retriever_log
WHERE retriever IS NOT NULL
GROUP BY day, retriever

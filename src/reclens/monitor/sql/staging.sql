-- Impressions of one day with the types of the schema: a value that cannot be read is null.
-- Reads log (the columns of the schema and feature.*), user_facts (user_id, segment, new_user) and
-- item_facts (item_id, category, new_item, fresh_item, information).
-- A list without an item is one row whose item_id is null.
-- Parameters
--   $late_after = 1.0   hours after which an event arrived late
SELECT
    log.* REPLACE (
        TRY_CAST(log.position AS INTEGER) AS position,
        TRY_CAST(log.clicked AS BOOLEAN) AS clicked,
        TRY_CAST(log.converted AS BOOLEAN) AS converted,
        TRY_CAST(log.score AS DOUBLE) AS score,
        TRY_CAST(log.predicted AS DOUBLE) AS predicted,
        TRY_CAST(log.latency_ms AS DOUBLE) AS latency_ms,
        CAST(log.model AS VARCHAR) AS model,
        CAST(log.model_version AS VARCHAR) AS model_version,
        CAST(log.variant AS VARCHAR) AS variant,
        CAST(log.surface AS VARCHAR) AS surface,
        CAST(log.retriever AS VARCHAR) AS retriever
    ),
    log.received_at > log.timestamp + to_microseconds(CAST($late_after * 3600000000 AS BIGINT)) AS late,
    user_facts.segment,
    user_facts.new_user,
    item_facts.category,
    item_facts.new_item,
    item_facts.fresh_item,
    item_facts.information
FROM log
LEFT JOIN user_facts ON user_facts.user_id = log.user_id
LEFT JOIN item_facts ON item_facts.item_id = log.item_id

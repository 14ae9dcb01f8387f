-- What a day adds up to, by every combination of slices: sums alone, so that weeks are sums of days.
-- Reads impressions.
SELECT
    day,
    surface,
    model,
    model_version,
    variant,
    segment,
    CAST(position AS VARCHAR) AS position,
    retriever,
    count(*) AS impressions,
    count(clicked) AS judged,
    count(*) FILTER (WHERE clicked) AS clicks,
    count(*) FILTER (WHERE clicked AND converted IS NOT NULL) AS clicks_followed,
    count(*) FILTER (WHERE converted) AS conversions,
    count(score) AS scored,
    coalesce(sum(score), 0) AS score,
    coalesce(sum(score * score), 0) AS score_squared,
    count(*) FILTER (WHERE received_at IS NOT NULL) AS received,
    count(*) FILTER (WHERE late) AS late,
    count(new_item) AS item_known,
    count(*) FILTER (WHERE new_item) AS new_item,
    count(*) FILTER (WHERE new_item AND clicked) AS new_item_clicks,
    count(*) FILTER (WHERE new_user) AS new_user,
    count(*) FILTER (WHERE new_user AND clicked) AS new_user_clicks,
    count(fresh_item) AS released,
    count(*) FILTER (WHERE fresh_item) AS fresh_item,
    count(information) AS informed,
    coalesce(sum(information), 0) AS information,
    coalesce(sum(information * information), 0) AS information_squared
FROM impressions
WHERE item_id IS NOT NULL
GROUP BY day, surface, model, model_version, variant, segment, position, retriever

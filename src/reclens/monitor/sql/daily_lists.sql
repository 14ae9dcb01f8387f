-- What the lists of a day add up to, by every combination of the slices of a list: sums alone.
-- Reads lists, and days (day, list_length, passed): the items that a list should have.
-- Parameters
--   $hit_at = 3   first places in which a click is a hit
SELECT
    day,
    surface,
    model,
    model_version,
    variant,
    segment,
    count(*) AS requests,
    sum(items) AS items,
    sum(items * items) AS items_squared,
    count(*) FILTER (WHERE items = 0) AS empty,
    count(*) FILTER (WHERE items < list_length) AS short,
    count(*) FILTER (WHERE has_click) AS clicked,
    coalesce(sum(ndcg) FILTER (WHERE has_click), 0) AS ndcg,
    coalesce(sum(ndcg * ndcg) FILTER (WHERE has_click), 0) AS ndcg_squared,
    count(*) FILTER (WHERE has_click AND first_click <= $hit_at) AS hits,
    coalesce(sum(reciprocal_rank) FILTER (WHERE has_click), 0) AS reciprocal_rank,
    coalesce(sum(reciprocal_rank * reciprocal_rank) FILTER (WHERE has_click), 0) AS reciprocal_rank_squared,
    count(diversity) AS diverse,
    coalesce(sum(diversity), 0) AS diversity,
    coalesce(sum(diversity * diversity), 0) AS diversity_squared,
    count(new_user) AS user_known,
    count(*) FILTER (WHERE new_user) AS new_user
FROM lists
INNER JOIN days USING (day)
GROUP BY day, surface, model, model_version, variant, segment

-- Impressions with what is known of their users and items.
-- Reads events (the log of a day in the names and types of the schema, and feature.*), user_facts (day, user_id, segment,
-- new_user) and item_facts (day, item_id, category, new_item, fresh_item, information).
-- A list without an item is one row whose item_id is null.
-- Parameters
--   $late_after = 1.0   hours after which an event arrived late
SELECT
    events.*,
    events.received_at > events.timestamp + CAST($late_after AS DOUBLE PRECISION) * INTERVAL '1 hour' AS late,
    user_facts.segment,
    user_facts.new_user,
    item_facts.category,
    item_facts.new_item,
    item_facts.fresh_item,
    item_facts.information
FROM events
LEFT JOIN user_facts ON user_facts.day = events.day AND user_facts.user_id = events.user_id
LEFT JOIN item_facts ON item_facts.day = events.day AND item_facts.item_id = events.item_id

-- Clicks of a log of their own that belong to an impression of the day.
-- Reads click_log (day, matched): a row a click.
SELECT
    day,
    'join' AS what,
    'clicks' AS name,
    count(*) AS n,
    count(*) FILTER (WHERE matched) AS total,
    0 AS squared,
    0 AS "empty",
    0 AS relevant,
    0 AS lost
FROM click_log
GROUP BY day

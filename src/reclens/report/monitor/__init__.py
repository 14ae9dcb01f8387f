"""The health monitor in words: sentences, tables, charts, notices and the weekly report."""

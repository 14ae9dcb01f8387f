"""What every document and chart is made of: tables, Altair charts, HTML, formats of numbers, themes."""

"""From score files to a report: the rows, and the same as Markdown, JSON and figure."""

"""Zero-shot and adapters of one base on the same samples, in one pass: the systems, their scores, table, JSON and figure."""

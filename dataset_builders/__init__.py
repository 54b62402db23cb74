"""From raw files to a Hub data set of prompts: the commands `release` (everything), `prepare`, `embed`, `view`, `prompt`, `card`.

Between the stages nothing passes but typed Parquet tables (`tables/schema.py`). A corpus (`corpora/`) supplies facts and
words, a view (`views/`) says which behaviors are shown, a prompt style (`prompts/`) puts them in sentences.
"""

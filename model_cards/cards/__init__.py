"""What the cards of adapters and of CTR models share: the options (`arguments`), reading a run folder (`records`) and the data set that it
was trained on (`data`), what things are called (`names`), the results (`results`) and what they say (`verdict`), what the Hub reads
(`model_index`), and filling a template and writing the card (`write`).
"""

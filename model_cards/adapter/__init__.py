"""What the card of an adapter says: the run (`run`), the paper's numbers beside its results (`paper`), what things are called (`names`),
the YAML the Hub reads (`metadata`), and the whole (`card`).
"""

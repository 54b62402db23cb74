"""What the card of an adapter says: the run (`run`), its results (`results`), the paper's numbers beside them (`paper`), what things are
called (`names`), the YAML the Hub reads (`metadata`), and the whole (`card`), as the options want it (`arguments`).
"""

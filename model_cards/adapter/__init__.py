"""What the card of an adapter says: the run (`run`), its results (`results`), the paper's numbers beside them (`paper`), the YAML the
Hub reads (`metadata`), and the whole (`card`).
"""

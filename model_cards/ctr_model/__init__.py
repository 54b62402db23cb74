"""What the card of a traditional CTR model says: the run (`run`), what its architecture is (`architecture`), the paper's row of it
(`paper`), the YAML the Hub reads (`metadata`), and the whole (`card`).
"""

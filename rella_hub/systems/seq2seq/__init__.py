"""Sequence-to-sequence models that answer with a word: P5 on a T5."""

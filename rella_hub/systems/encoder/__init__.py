"""Classifiers on a pre-trained text encoder, whose input is a row's fields as text: CTR-BERT and PTab."""

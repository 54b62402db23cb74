"""The traditional CTR models: train, load, score, describe, publish."""

"""Evaluation: the commands `score`, `report`, `compare` and `push_metrics`."""

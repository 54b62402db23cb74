"""Evaluation: the commands `score` and `report`."""

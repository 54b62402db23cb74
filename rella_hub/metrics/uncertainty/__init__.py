"""Intervals and tests of the metrics."""

"""Intervals: paired percentile bootstrap over the samples."""

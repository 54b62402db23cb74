"""Instruction tuning as one job: what it is told (`arguments`), what it needs (`requirements`), how it runs (`run`)."""

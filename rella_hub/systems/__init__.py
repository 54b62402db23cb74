"""The families of systems, one folder each, and the systems that need no model."""

REFERENCE = "zero_shot"  # the base model alone: what tuned systems are compared with

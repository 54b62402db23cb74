"""The families of systems, one folder each, and the systems that need no model."""

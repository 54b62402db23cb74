"""The score files: how they are made, written and read."""

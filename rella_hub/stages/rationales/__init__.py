"""Rationales: whom they are asked about, the table of what was written, and the prompts that a student learns from."""

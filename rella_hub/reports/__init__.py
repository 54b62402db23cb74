"""Scores of several systems, and tables of papers with ours in them, as text, JSON and figures."""

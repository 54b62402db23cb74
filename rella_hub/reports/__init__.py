"""Scores of several systems as tables and figures."""

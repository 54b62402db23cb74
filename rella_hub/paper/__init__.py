"""The tables of papers, and what decides which of our scores belong in which of their rows."""

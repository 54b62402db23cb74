"""The cards of data sets and models, and their publication."""

"""The data card: the README.md of a data set folder, every number of it computed from the tables that stand in it."""

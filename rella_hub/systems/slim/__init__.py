"""SLIM's recommenders: a sequential recommender that reads the texts of items, and a rationale of the user."""

"""LLaRA: a language model that reads titles and the vectors of a recommender, and names one of the candidates."""

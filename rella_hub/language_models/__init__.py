"""Base models and adapters: loading, tokens, P(Yes), training on answers, pretraining."""

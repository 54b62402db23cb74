"""Neural networks without a language model."""

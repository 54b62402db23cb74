"""Base models and adapters: loading them whole, and saying what pins them."""

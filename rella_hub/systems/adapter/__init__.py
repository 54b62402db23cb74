"""LoRA on a causal language model, and the base model alone: tune, load, score, describe, publish."""

"""Text at scale: composing prompts, and turning them into tokens."""

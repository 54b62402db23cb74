"""Text at scale: composing prompts, and turning them into tokens. And text of other people: how it is read, and how it is shown."""

"""The tables between the stages: what they hold, where they lie, what they were made from."""

"""How a system turns samples into scores."""

"""Model cards: the command `render` turns a run folder and a report's results into the README.md of an adapter.

`adapter/` gathers what the card says, `templates/` says it. Nothing in a card is typed by hand.
"""

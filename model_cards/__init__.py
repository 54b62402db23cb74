"""Model cards: the command `render` turns a run folder and a report's results into the README.md of an adapter; `push` publishes it with
the adapter on the Hub.

`adapter/` gathers what the card says, `templates/` says it, `publishing/` prepares and sends. Nothing in a card is typed by hand.
"""

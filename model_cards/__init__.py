"""Model cards: the command `render` turns a run folder and a report's results into the README.md of an adapter or of a traditional CTR
model; `push` publishes it with the model on the Hub.

`adapter/` and `ctr_model/` gather what the card of each says, `cards/` what both share, `templates/` say it, `publishing/` prepares and
sends. Nothing in a card is typed by hand.
"""

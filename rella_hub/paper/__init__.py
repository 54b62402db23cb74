"""The tables of the paper, and which of our rows belongs beside which of its rows."""

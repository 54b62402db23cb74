"""Experiments: grids of trained and scored systems, written down as YAML, that fill a table of a paper or draw its figure.

An experiment is a file in training/recipes/<corpus>/experiments/; rella_hub/experiments/options.py says what is in it. Each combination
of a system's axes is a cell. A cell is trained and scored by the code of its family, as its own command would. So it is resumed as that
is, and its results are the same in whatever order, on whatever machine and after however many interruptions the cells are made.
"""

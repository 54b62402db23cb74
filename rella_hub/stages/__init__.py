"""The stages: prepare, embed, view, prompt, card. Each reads tables of one data set folder and writes the next.

A stage is skipped where its table stands already, made from the same inputs, and refuses where it was made from others.
"""

"""The prompt styles: each file here is one sentence frame with its closed set of answers, and adding a file is registering it.

A style maps whole tables to whole columns of text. `VERSION` rises whenever a character of any prompt changes.
"""

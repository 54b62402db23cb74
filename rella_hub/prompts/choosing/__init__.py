"""The prompts that are answered with the name of one of several items: each file here is one sentence frame, `next_item` the usual one.

A frame maps whole tables to whole columns of text. It defines

- ``VERSION``, which rises whenever a character of any prompt changes;
- ``fragments(words, items, ...)``: all that its prompts of a corpus are composed of;
- ``prompts(fragments, item, shown, candidates)``: (S,) texts. item: (S, K) rows of `items`, shown: (S, K), False where a history has
  fewer; candidates: (S, C) rows of `items`, in the order in which they are listed.
"""

"""Duplicated: a training set that shows every sample twice in the same way, by SUBR.

The control of ReiT, which shows every sample in two ways: with it, "twice the rows" is told apart from "two patterns", the reason that
ReLLa's section 3.3 gives for the mixed set. The paper has no such row.
"""

from __future__ import annotations

from rella_hub.views import View

VIEW = View(
    sentence="twice, both times with the {item}s closest in meaning to the one in question",
    mixes=("subr", "subr"),
)

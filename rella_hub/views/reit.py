"""ReiT, retrieval-enhanced instruction tuning: a mixed training set that shows every sample twice, by recency and by SUBR.

Rows stand as recency of sample 1, SUBR of sample 1, recency of sample 2, ... so that the first 2N rows are the mixed set of
the first N samples. Source: ReLLa, section 3.3.
"""

from __future__ import annotations

from rella_hub.views import View

VIEW = View(
    sentence="twice, with the {latest} {item}s and with those closest in meaning to the one in question "
    "(retrieval-enhanced instruction tuning)",
    mixes=("recency", "subr"),
)

"""Union: the latest behaviors and, of those before them, the ones closest in meaning to the target, in history order.

Of K behaviors K/2 are the latest; `union25` takes a quarter of them, and so on: the number is a share in percent, rounded down to whole
behaviors. The rest are what SUBR chooses of the behaviors before the latest ones. A history of at most K behaviors is shown whole.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rella_hub.views import Config, Histories, Loaded, View, subr


def _share(config: Config) -> int:
    share = config.number or 0
    if not 0 < share < 100:
        raise ValueError(f"The number of {config.name} is {share}; it is a share from 1 to 99 %.")
    return share


def load(folder: Path, config: Config) -> Loaded:
    _share(config)
    return subr.load(folder, config)


def select(histories: Histories, config: Config) -> np.ndarray:
    return subr.select(histories, config, latest_shown=config.history_length * _share(config) // 100)


VIEW = View(
    sentence="with the {latest} {item}s ({parameter} % of all that are shown) and, of those before them, with the ones closest in "
    "meaning to the one in question",
    select=select,
    needs=subr.VIEW.needs,
    load=load,
    parameter=50,
)

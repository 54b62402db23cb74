"""The encoders of a history: one paper a file, and adding a file is registering it.

A file holds a class that has the paper's name, the file's name in lower case. It is made from `embedding_size`, the width D of a behavior,
and then options of its own that all have defaults. An encoder knows neither items nor ratings nor what its state is for: whoever
uses it embeds the behaviors, and scores one target (rella_hub/networks/ctr/) or all items with the state.

    encoder(behaviors, mask)           (B, T, D), (B, T) -> (B, S)       the state after the whole history
    encoder.states(behaviors, mask)    (B, T, D), (B, T) -> (B, T, S)    the state after each behavior
    encoder.state_size                 S

Behaviors are at the left, oldest first; what is under a False of `mask` never changes a state. An encoder has `states` where its paper
trains on the next item after each behavior. There, the last state of a history is that of the whole, a state depends on no later
behavior, and it is zero where there is no behavior or the encoder does not look so far back.
"""

from __future__ import annotations

import sys
from typing import Any, Protocol

from torch import Tensor

from rella_hub.open_folder import load_class, members


class Encoder(Protocol):
    """What every encoder is, beside a `torch.nn.Module`."""

    state_size: int

    def __call__(self, behaviors: Tensor, mask: Tensor) -> Tensor: ...

    def state_dict(self) -> dict[str, Any]: ...


def encoder_names() -> list[str]:
    return members(sys.modules[__name__])


def load_encoder_class(name: str) -> type[Encoder]:
    return load_class(sys.modules[__name__], "sequence encoder", name)

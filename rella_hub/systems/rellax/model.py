"""A base with LoRA and what ReLLaX adds to it: put together the same way for training and for scoring."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from peft import PeftModel
from torch import Tensor, nn

from rella_hub.language_models.cflora import Gates
from rella_hub.language_models.projector import LAYERS, WithItems, add_items
from rella_hub.language_models.room import Room, room_of
from rella_hub.systems.rellax.knowledge import Knowledge
from rella_hub.systems.rellax.options import GATED, PROMPTED

GATES = "gates"


@dataclass(frozen=True)
class Assembled:
    model: PeftModel
    gates: Gates | None
    items: WithItems | None

    @property
    def added(self) -> nn.ModuleDict:
        """What ReLLaX adds, as one module: its weights are trained and saved together."""
        parts = {GATES: self.gates, LAYERS: self.items and self.items.projector}
        return nn.ModuleDict({name: part for name, part in parts.items() if part is not None})

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Put stored weights in their places. ValueError unless each has one and each place has one."""
        try:
            self.added.load_state_dict(weights)
        except RuntimeError as error:
            lines = str(error).strip().splitlines()
            raise ValueError(
                f"The weights that ReLLaX adds do not load whole ({lines[-1].strip()[:200]}): they were trained on another base or CTR "
                "model, or their file is damaged. Get them again, or train again."
            ) from error


def room_with_items(model: nn.Module, mode: str, knowledge: Knowledge) -> Room:
    """What the base has places for, the items among its tokens."""
    room = room_of(model)
    return replace(room, tokens=room.tokens + len(knowledge.item_vectors)) if mode in PROMPTED else room


def assemble(
    model: nn.Module, mode: str, gate_start: str, knowledge: Knowledge, with_lora: Callable[[nn.Module], PeftModel]
) -> Assembled:
    """with_lora: puts an adapter on the base. What is new is drawn from PyTorch's generator, in this order."""
    items = add_items(model, knowledge.item_vectors) if mode in PROMPTED else None
    tuned = with_lora(model)
    gates = None
    if mode in GATED:
        gates = Gates(tuned, knowledge.hidden_size, gate_start)
        tuned.add_module(GATES, gates)  # so that it is on the model's device, and its weights are the trainer's
    found = Assembled(tuned, gates, items)
    found.added.requires_grad_(True)
    return found


def trainable(model: nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


def see_rows(gates: Gates, hidden: Tensor, model: torch.nn.Module) -> Callable:
    """A function that is told the rows (n,) of `hidden` that the model reads next."""
    device = next(model.parameters()).device
    return lambda rows: gates.see(hidden[torch.as_tensor(rows)].to(device))

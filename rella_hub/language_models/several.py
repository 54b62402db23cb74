"""Several adapters on one base model that is loaded once: one of them is active at a time, or none, which is the base itself.

Nothing is merged: the weights of an adapter stay beside those of its layer, so changing from one to another changes no number of
the base. That must hold for every adapter that comes here, and some break it: PiSSA, OLoRA and CorDA take their first guess out of
the base's weights, `bias` other than none replaces its biases. So what the base says to one prompt is kept, and must be the same
to the last digit after each adapter was put beside it. One prompt does not use every row of an embedding: embeddings that a file
brings are compared with the base's own (rella_hub/language_models/attach.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from peft import PeftModel

from rella_hub.language_models.load import load_adapter, require_scorable


def load_adapters(
    model: torch.nn.Module,
    base: dict,
    adapters: Sequence[tuple[str, str | None]],
    probe: Sequence[int],
    any_base: bool = False,
) -> torch.nn.Module:
    """`model` with all of `adapters` (folder or Hub id, and revision) beside it, none active; see `load_adapter`.

    probe: the token ids of any prompt. ValueError when an adapter does not load whole, or changes the base.
    """
    if not adapters:
        return model
    before = _answer(model, probe)
    for number, (adapter, revision) in enumerate(adapters):
        if isinstance(model, PeftModel):
            model.base_model.enable_adapter_layers()
        model = load_adapter(model, base, adapter, revision, _name(number), any_base, shared=True)
        activate(model, number)
        require_scorable(model, adapter)
        activate(model, None)
        if not torch.equal(before, _answer(model, probe)):
            raise ValueError(
                f"The adapter {adapter!r} changes weights of its base itself (its adapter_config.json has a bias other than none, or an "
                "init_lora_weights such as pissa), so nothing else can share the base with it. Score it alone: python evaluation/score.py"
            )
    return model


def activate(model: torch.nn.Module, number: int | None) -> None:
    """Make `model` the base with the adapter of that number in the order of `load_adapters`, or the base alone."""
    if not isinstance(model, PeftModel):
        return
    if number is None:
        model.base_model.disable_adapter_layers()
    else:
        model.base_model.enable_adapter_layers()
        model.set_adapter(_name(number), inference_mode=True)


def switch(model: torch.nn.Module, number: int | None) -> Callable[[], None]:
    """`activate` as a function without arguments."""
    return lambda: activate(model, number)


def _name(number: int) -> str:
    """As PEFT knows it: a part of the names of weights, so it has no dot, and no layer is called like it."""
    return f"compared_{number}"


def _answer(model: torch.nn.Module, probe: Sequence[int]) -> torch.Tensor:
    """(V,) logits after the probe."""
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            input_ids = torch.tensor([probe], device=next(model.parameters()).device)
            return model(input_ids=input_ids, logits_to_keep=1, use_cache=False).logits[0, -1].float().cpu()
    finally:
        model.train(was_training)

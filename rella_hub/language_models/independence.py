"""A prompt's score must be its own: nothing that stands beside it in a batch, or after it in its row, may move it.

The scorer pads at the right and passes no mask (rella_hub/language_models/p_yes.py), which is right under a causal mask alone. Models
without one, such as BERT or XLNet, load as causal models too; their scores would depend on the neighbors.
"""

from __future__ import annotations

import torch

LENGTH = 24  # tokens of the row that is read; its first half is the prompt
# What may differ, as a share of the largest logit, because sums are taken in another order.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-5}
NARROW = 1e-2  # two bytes a number, or 4 bits
EIGHT_BITS = 3e-2  # LLM.int8() takes out the columns that are large anywhere in the batch


def require_independent(model: torch.nn.Module) -> None:
    """ValueError, as a sentence on "it", when the logits after a prompt depend on what stands after or beside it, or on chance."""
    if getattr(model.config, "is_decoder", True) is False or getattr(model.config, "causal", True) is False:
        raise ValueError(
            "It is an encoder without a causal mask (is_decoder or causal is false in its config.json), so a prompt's score would "
            "change with its neighbors. Expected a causal language model."
        )
    embeddings = model.get_input_embeddings().weight
    longest = getattr(model.config, "max_position_embeddings", None)
    length = min(LENGTH, longest) if isinstance(longest, int) and longest > 1 else LENGTH
    half = length // 2
    reads = torch.randint(embeddings.shape[0], (2, 2, length), generator=torch.Generator().manual_seed(0))
    reads[1, 0, :half] = reads[0, 0, :half]  # the same prompt, all else changed
    alone, again = _logits(model, reads.to(embeddings.device), half - 1)
    if not (torch.isfinite(alone).all() and torch.isfinite(again).all()):
        raise ValueError(
            "It answers with numbers that are not finite: its weights are damaged, or --dtype is too narrow."
        )
    moved = (alone - again).abs().max().item()
    if moved > _tolerance(model) * alone.abs().max().item():
        raise ValueError(
            "Its answer to a prompt changes with what stands after or beside it in a batch: it has no causal mask, or draws at random. "
            "Expected a causal language model."
        )


def _tolerance(model: torch.nn.Module) -> float:
    if getattr(model, "is_loaded_in_8bit", False):
        return EIGHT_BITS
    return NARROW if getattr(model, "is_loaded_in_4bit", False) else TOLERANCE.get(model.dtype, NARROW)


def _logits(model: torch.nn.Module, reads: torch.Tensor, position: int) -> list[torch.Tensor]:
    """(V,) logits at `position` of the first row of each read."""
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            return [model(input_ids=rows, use_cache=False).logits[0, position].float().cpu() for rows in reads]
    finally:
        model.train(was_training)

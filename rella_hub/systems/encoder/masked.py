"""PTab's first stage: the encoder learns to guess masked tokens of the training rows' texts, before it sees a label.

Tokens are masked anew whenever a text is read: each token of a text but the special ones is chosen with probability `mlm_probability`;
of the chosen ones 80 % become the mask token, 10 % a random token and 10 % stay. The loss is on the chosen ones alone.

Divergence. Paper (PTab): the stage's best model is kept; its rate of masking could not be found. Released code (FLIP): the last epoch,
0.15, a cosine schedule. Ours: the last epoch, 0.15, and the linear schedule that ReLLa prints. Why: no validation row need be read.
"""

from __future__ import annotations

import math
import time

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint as computed_twice
from tqdm import tqdm
from transformers import DataCollatorForLanguageModeling

from rella_hub.systems import checkpoint
from rella_hub.systems.checkpoint import Kept, Running
from rella_hub.systems.encoder.loop import finite, rate_factor, step
from rella_hub.systems.encoder.network import Computing
from rella_hub.systems.encoder.tokens import Tokens, batches

UNCHOSEN = -100


class Masking:
    """Masks tokens as BERT was trained, with draws of a generator of its own."""

    def __init__(self, tokenizer, probability: float, draws: torch.Generator):
        self._collator = DataCollatorForLanguageModeling(tokenizer, mlm=True, mlm_probability=probability)
        self._collator.generator = draws
        self.pad = tokenizer.pad_token_id
        self._special = torch.tensor(sorted({*tokenizer.all_special_ids}))

    def __call__(self, ids: torch.Tensor, real: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, T) ids with some masked, and (B, T) the tokens that stood there, UNCHOSEN elsewhere."""
        never = torch.isin(ids, self._special) | ~real
        return self._collator.torch_mask_tokens(ids.clone(), special_tokens_mask=never)


def adapt(running: Running, texts: Tokens, masking: Masking, options, how: Computing, kept: Kept) -> None:
    """Train `running.model`, an encoder with a head that guesses tokens, for `options.mlm_epochs`; a checkpoint after every one."""
    if kept.is_there():
        checkpoint.load(kept, running)
        print(f"resumed from {kept.folder}, after epoch {running.progress.epoch} of masking", flush=True)
    progress = running.progress
    while progress.epoch < options.mlm_epochs:
        begin = time.perf_counter()
        progress.epoch += 1
        loss = _epoch(running, texts, masking, progress.epoch, options, how)
        progress.seconds += time.perf_counter() - begin
        progress.log.append({"epoch": progress.epoch, "loss": loss})
        print(f"masking, epoch {progress.epoch}: loss {loss:.4f} a token", flush=True)
        checkpoint.save(kept, running)


def _epoch(running: Running, texts: Tokens, masking: Masking, epoch: int, options, how: Computing) -> float:
    """Read every text once; the mean loss of a chosen token."""
    running.model.train()
    steps, total, chosen = math.ceil(len(texts) / options.batch_size), 0.0, 0
    shuffled = torch.randperm(len(texts), generator=running.order).numpy()
    for number in tqdm(range(steps), desc=f"masking, epoch {epoch}", unit="step"):
        some = shuffled[number * options.batch_size : (number + 1) * options.batch_size]
        loss, count = _loss(running.model, texts, some, masking, how)
        done = (epoch - 1) * steps + number
        factor = rate_factor(done, steps * options.mlm_epochs, options.mlm_warmup_ratio)
        step(running.optimizer, loss / max(1, count), options.mlm_learning_rate * factor)
        total, chosen = total + float(loss.detach()), chosen + count
    return finite(total / max(1, chosen), f"epoch {epoch} of masking", "mlm_learning_rate")


def _loss(
    model: nn.Module, texts: Tokens, some: np.ndarray, masking: Masking, how: Computing
) -> tuple[torch.Tensor, int]:
    """The summed loss of the chosen tokens of some texts, and how many they are."""
    total, count = torch.zeros((), device=how.device), 0
    for numbers in batches(texts.lengths[some], how.tokens_per_batch):
        ids, real = texts.padded(some[numbers], masking.pad)
        masked, tokens = (part.to(how.device) for part in masking(ids, real))
        inputs = (model, masked, real.to(how.device), tokens, how)
        total = total + (computed_twice(token_loss, *inputs, use_reentrant=False) if how.twice else token_loss(*inputs))
        count += int((tokens != UNCHOSEN).sum())
    return total, count


def token_loss(
    model: nn.Module, masked: torch.Tensor, real: torch.Tensor, tokens: torch.Tensor, how: Computing
) -> torch.Tensor:
    """The summed loss of the chosen tokens.

    Where a model is a body and one head, the head is asked at the chosen places only: over all of them it costs as much as the body.
    """
    chosen, body = tokens != UNCHOSEN, model.base_model
    heads = [part for part in model.children() if part is not body]
    with torch.autocast(how.device.type, how.dtype, enabled=how.dtype != torch.float32):
        if len(heads) == 1:
            hidden = body(input_ids=masked, attention_mask=real.long()).last_hidden_state
            logits = heads[0](hidden[chosen])
        else:
            logits = model(input_ids=masked, attention_mask=real.long()).logits[chosen]
    return cross_entropy(logits.float(), tokens[chosen], reduction="sum")

"""Training P5: the cross-entropy of the answer's tokens, AdamW, clipped gradients, a rate that rises and falls linearly.

Source: ReLLa, appendix C.2, whose figures are those of P5's released code: loss averaged over the tokens of an answer (the word and the end
token) and then over samples; AdamW with eps 1e-6. Epochs are chosen on validation, never on test.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_
from tqdm import tqdm

from rella_hub.language_models.p_yes import batches_of_like_length
from rella_hub.metrics import measure
from rella_hub.systems.epochs import rate_factor
from rella_hub.systems.seq2seq.inputs import Batch, Rows, Samples
from rella_hub.systems.seq2seq.language import Language
from rella_hub.systems.seq2seq.network import P5
from rella_hub.systems.seq2seq.options import Options
from rella_hub.tables.constant import is_constant

TOKENS_PER_BATCH = 16_384  # padded, in scoring


@dataclass(frozen=True)
class Computing:
    device: torch.device
    dtype: torch.dtype = torch.float32  # that layers compute in; weights are float32

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)


def adamw(model: P5, options: Options) -> torch.optim.Optimizer:
    """Every parameter decays: the released code spares `LayerNorm.weight` and biases, and a T5 has neither by that name."""
    on_gpu = next(model.parameters()).is_cuda
    return torch.optim.AdamW(
        model.parameters(), lr=options.learning_rate, eps=1e-6, weight_decay=options.weight_decay, fused=on_gpu
    )


def answer_loss(model: P5, batch: Batch, label: torch.Tensor, language: Language) -> torch.Tensor:
    """The mean cross-entropy of the answer's two tokens over the batch. label: (B,) 0 or 1."""
    answers = torch.tensor(language.answers, device=label.device)[label][:, None]  # (B, 1)
    logits = model.answer_logits(batch.ids, batch.real, batch.words, said=answers)  # (B, 2, V)
    targets = torch.cat([answers, torch.full_like(answers, language.end)], dim=1)
    return cross_entropy(logits.float().flatten(0, 1), targets.flatten())


def learn_epoch(
    model: P5,
    train: Samples,
    optimizer: torch.optim.Optimizer,
    order: torch.Generator,
    epoch: int,
    options: Options,
    language: Language,
    how: Computing,
) -> float:
    """Train on every sample once; the mean loss. epoch: from 1."""
    model.train()
    steps = math.ceil(len(train) / options.batch_size)
    total = torch.zeros((), device=how.device)
    batches = train.shuffled(options.batch_size, order)
    for number, (batch, label) in enumerate(tqdm(batches, total=steps, desc=f"epoch {epoch}", unit="step")):
        with how.autocast():
            loss = answer_loss(model, batch.to(how.device), label.to(how.device), language)
        step = (epoch - 1) * steps + number
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * rate_factor(
                step, steps * options.num_train_epochs, options.warmup_ratio
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        clip_grad_norm_(model.parameters(), options.max_grad_norm)
        optimizer.step()
        total += loss.detach() * len(label)
    mean = float(total) / len(train)
    if not np.isfinite(mean):
        raise ValueError(f"The loss is {mean} in epoch {epoch}. Lower --learning_rate, or take --dtype float32.")
    return mean


def validate(model: P5, samples: Samples, language: Language, how: Computing) -> dict[str, float]:
    """The metrics of the samples, by name; a warning where all of them get the same score."""
    scores = p_yes(model, samples.rows, samples.sample_id, samples.lengths, language, how)
    if is_constant(scores):
        print(
            f"WARNING: all {len(scores):,} validation samples get the same score ({scores[0]:.6f}), so this epoch tells them not apart.",
            file=sys.stderr,
        )
    return measure(samples.label, scores)


def p_yes(
    model: P5,
    rows: Rows,
    sample_id: np.ndarray,
    lengths: np.ndarray,
    language: Language,
    how: Computing,
    whole_words: bool = True,
    tokens_per_batch: int = TOKENS_PER_BATCH,
) -> np.ndarray:
    """(S,) float64 P(Yes) of samples whose texts have `lengths` tokens. ValueError when one of them is not finite."""
    model.eval()
    pair = torch.tensor(language.answers, device=how.device)
    scores = np.empty(len(sample_id), dtype=np.float64)
    with torch.inference_mode(), how.autocast():
        for numbers in batches_of_like_length(lengths, tokens_per_batch):
            batch = rows.take(sample_id[numbers]).to(how.device)
            logits = model.answer_logits(batch.ids, batch.real, batch.words if whole_words else None)
            scores[numbers] = logits[:, 0, pair].double().softmax(dim=1)[:, 1].cpu().numpy()
    if not np.isfinite(scores).all():
        raise ValueError(
            f"{int((~np.isfinite(scores)).sum()):,} of {len(scores):,} samples got a score that is not finite: the weights of the model "
            "are at fault, or its number format."
        )
    return scores

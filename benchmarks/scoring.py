"""Scoring: P(Yes) by this project against transformers.Trainer.evaluate with preprocess_logits_for_metrics.

The same model and the same prompts of mixed length. The scores are held against a plain forward pass over full logits, one
prompt at a time.

examples:
  python benchmarks/scoring.py
  python benchmarks/scoring.py --shape 7b --dtype bfloat16 --quantized true     # with a GPU
"""

from __future__ import annotations

from dataclasses import dataclass
from tempfile import TemporaryDirectory

import numpy as np
import torch
from datasets import Dataset
from harness import markdown, shapes, timing
from transformers import DataCollatorForTokenClassification, Trainer, TrainingArguments

from rella_hub import cli
from rella_hub.cli.options import option
from rella_hub.language_models.p_yes import p_yes
from rella_hub.language_models.tokens import Answers

COMPARED = 32  # prompts whose score is held against a plain forward pass
ANSWERS = Answers(no=shapes.NO, yes=shapes.YES)


@dataclass(frozen=True)
class Arguments:
    shape: str = option("25m or 7b, the shape of a Llama.", "25m")
    dtype: str = option("float32 or bfloat16.", "float32")
    quantized: bool = option("Linear layers in 8 bits (bitsandbytes).", False)
    prompts: int = option("Prompts of mixed length.", 128)
    runs: int = option("Counted turns.", 5)


def main() -> None:
    (options,) = cli.parse(Arguments, description=__doc__)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = getattr(torch, options.dtype)
    model = shapes.llama(options.shape, dtype, device, options.quantized)
    prompts = shapes.mixed_lengths(options.prompts)
    with TemporaryDirectory() as scratch:
        peer = trainer_evaluate(model, prompts, scratch)
        times = timing.interleaved({"ours": lambda: p_yes(model, prompts, ANSWERS), "peer": peer}, options.runs)
    compared = prompts[:COMPARED]
    difference = np.abs(p_yes(model, prompts, ANSWERS)[:COMPARED] - plain(model, compared)).max()
    ratio = timing.median_ratio(times["peer"], times["ours"])
    lengths = [len(p) for p in prompts]
    share = timing.share_of_card(shapes.flops_forward(model, lengths), times["ours"].median, dtype)
    name = (
        "scoring"
        if (options.shape, options.dtype, options.quantized) == ("25m", "float32", False)
        else (f"scoring_{options.shape}_{'8bit' if options.quantized else options.dtype}")
    )
    markdown.write(
        name,
        "Scoring against Trainer.evaluate",
        f"Llama of shape {options.shape} ({model.num_parameters() / 1e6:.1f} million weights, vocabulary {shapes.VOCABULARY:,}, "
        f"{'8 bit' if options.quantized else options.dtype}), {len(prompts)} prompts of {min(lengths)} to {max(lengths)} tokens "
        f"({sum(lengths):,} in all); median of {options.runs} interleaved runs (range).",
        [
            (
                "Trainer.evaluate, preprocess_logits_for_metrics",
                times["peer"],
                f"{len(prompts) / times['peer'].median:.1f}",
                "1.00",
            ),
            ("this project", times["ours"], f"{len(prompts) / times['ours'].median:.1f}", f"{ratio:.2f}"),
        ],
        ("", "time", "prompts/s", "times as fast"),
        f"{ratio:.2f} times as fast (aim: at least 3). Largest difference of P(Yes) to a plain full-logits forward pass: {difference:.1e} "
        f"(aim in float32: at most 1e-5).{share}",
    )


def trainer_evaluate(model, prompts: list[list[int]], scratch: str):
    """What a user of the Trainer writes: logits reduced to P(Yes) at the last prompt token, everything else at its default."""
    rows = Dataset.from_list(
        [{"input_ids": [*p, shapes.YES], "labels": [*([-100] * len(p)), shapes.YES]} for p in prompts]
    )

    def reduce(logits, labels):
        last = (labels != -100).int().argmax(dim=1) - 1
        pair = logits[torch.arange(len(last), device=logits.device), last][:, [shapes.NO, shapes.YES]]
        return pair.float().softmax(dim=1)[:, 1]

    trainer = Trainer(
        model=model,
        args=TrainingArguments(scratch, report_to="none", use_cpu=not torch.cuda.is_available(), disable_tqdm=True),
        data_collator=DataCollatorForTokenClassification(shapes.word_tokenizer()),
        eval_dataset=rows,
        preprocess_logits_for_metrics=reduce,
        compute_metrics=lambda prediction: {"mean": float(prediction.predictions.mean())},
    )
    trainer.log = lambda *args, **kwargs: None
    return trainer.evaluate


def plain(model, prompts: list[list[int]]) -> np.ndarray:
    """P(Yes) of each prompt by one full forward pass."""
    scores = []
    for prompt in prompts:
        with torch.inference_mode():
            logits = model(torch.tensor([prompt], device=model.device)).logits[0, -1]
        scores.append(logits[[shapes.NO, shapes.YES]].double().softmax(0)[1].item())
    return np.array(scores)


if __name__ == "__main__":
    cli.run(main)

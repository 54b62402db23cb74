"""Training: tokens per second of this project's trainer against SFTTrainer's defaults, on the same mixed set.

Same model, LoRA, rows, steps and samples in each step, so the loss curves must agree; what differs is how a step is computed.

examples:
  python benchmarks/tuning.py
  python benchmarks/tuning.py --shape 7b --dtype bfloat16 --quantized true     # with a GPU
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from tempfile import TemporaryDirectory

import numpy as np
import torch
from datasets import Dataset
from harness import markdown, shapes, timing
from peft import LoraConfig
from torch.utils.data import Sampler
from trl import SFTConfig, SFTTrainer

from rella_hub import cli
from rella_hub.cli.options import option
from rella_hub.language_models.answer_rows import tokenized_rows
from rella_hub.language_models.answers import AnswerTrainer

SAMPLES_PER_STEP, PER_DEVICE = 32, 8  # 8 is SFTTrainer's default
SEED = 0


@dataclass(frozen=True)
class Arguments:
    shape: str = option("25m or 7b, the shape of a Llama.", "25m")
    dtype: str = option("float32 or bfloat16.", "float32")
    quantized: bool = option("Linear layers in 8 bits (bitsandbytes).", False)
    steps: int = option("Optimizer steps a run.", 3)
    runs: int = option("Counted turns.", 3)


class SameSteps(Sampler[int]):
    """The samples of each step that `LikeLengthSampler` takes, inside a step in the order of the draw."""

    def __init__(self, rows: int):
        self._rows = rows

    def __len__(self) -> int:
        return self._rows

    def __iter__(self):
        return iter(np.random.default_rng([SEED, 0]).permutation(self._rows).tolist())


class PeerTrainer(SFTTrainer):
    def _get_train_sampler(self, train_dataset=None):
        return SameSteps(len(self.train_dataset))


def main() -> None:
    (options,) = cli.parse(Arguments, description=__doc__)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = getattr(torch, options.dtype)
    rows = mixed_set(options.steps * SAMPLES_PER_STEP)
    losses: dict[str, list[float]] = {}

    def run(name: str) -> float:
        model = shapes.llama(options.shape, dtype, device, options.quantized)
        with TemporaryDirectory() as scratch:
            trainer = make_trainer(name, model, rows, scratch, options.dtype == "bfloat16")
            begin = time.perf_counter()
            trainer.train()
            seconds = time.perf_counter() - begin
        losses[name] = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        return seconds

    seconds: dict[str, list[float]] = {"peer": [], "ours": []}
    for turn in range(options.runs + 1):
        for name in seconds:
            taken = run(name)
            if turn:
                seconds[name].append(taken)
    times = {name: timing.Timing(values) for name, values in seconds.items()}
    report(options, rows, times, losses, dtype)


def mixed_set(count: int) -> Dataset:
    """Prompts of mixed length, each answered by three tokens as "Yes", ".", end."""
    prompts = shapes.mixed_lengths(count)
    rng = np.random.default_rng(1)
    return tokenized_rows(prompts, [[(shapes.NO, shapes.YES)[rng.integers(2)], 5, 1] for _ in prompts])


def make_trainer(name: str, model, rows: Dataset, scratch: str, bf16: bool) -> SFTTrainer:
    shared = {
        "output_dir": scratch,
        "per_device_train_batch_size": PER_DEVICE,
        "gradient_accumulation_steps": SAMPLES_PER_STEP // PER_DEVICE,
        "num_train_epochs": 1,
        "learning_rate": 1e-3,
        "bf16": bf16,  # the model's own precision for both; SFTTrainer's default, bfloat16, is emulated on most CPUs
        "use_cpu": not torch.cuda.is_available(),
        "max_length": None,
        "save_strategy": "no",
        "logging_steps": 1,
        "disable_tqdm": True,
        "seed": SEED,
        "remove_unused_columns": False,
        "dataset_kwargs": {"skip_prepare_dataset": True},
    }
    lora = LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    torch.manual_seed(SEED)
    if name == "peer":
        return PeerTrainer(
            model, SFTConfig(**shared), train_dataset=rows, processing_class=shapes.word_tokenizer(), peft_config=lora
        )
    return AnswerTrainer(
        model,
        SFTConfig(**shared, activation_checkpointing=False),
        train_dataset=rows,
        processing_class=shapes.word_tokenizer(),
        peft_config=lora,
        yes=shapes.YES,
        score=None,
        measure=None,
    )


def report(options: Arguments, rows: Dataset, times: dict, losses: dict, dtype: torch.dtype) -> None:
    lengths = [len(ids) for ids in rows["input_ids"]]
    tokens, ratio = sum(lengths), timing.median_ratio(times["peer"], times["ours"])
    difference = max(abs(a - b) for a, b in zip(losses["peer"], losses["ours"], strict=True))
    model = shapes.llama(options.shape, torch.float32, "meta")
    # Forward, and the same again backward to the activations: the frozen weights get no gradient.
    share = timing.share_of_card(2 * shapes.flops_forward(model, lengths), times["ours"].median, dtype)
    kind = "8 bit" if options.quantized else options.dtype
    default = (options.shape, options.dtype, options.quantized) == ("25m", "float32", False)
    markdown.write(
        "tuning" if default else f"tuning_{options.shape}_{kind.replace(' ', '')}",
        "Training against SFTTrainer's defaults",
        f"LoRA (r = 8 on q_proj and v_proj) on a Llama of shape {options.shape} ({model.num_parameters() / 1e6:.1f} million "
        f"weights, {kind}); "
        f"{len(rows)} rows of {min(lengths)} to {max(lengths)} tokens, {options.steps} steps of {SAMPLES_PER_STEP} rows; median of "
        f"{options.runs} interleaved runs (range).",
        [
            (
                "SFTTrainer, defaults",
                times["peer"],
                f"{tokens / times['peer'].median:,.0f}",
                "1.00",
                str(losses["peer"]),
            ),
            (
                "this project",
                times["ours"],
                f"{tokens / times['ours'].median:,.0f}",
                f"{ratio:.2f}",
                str(losses["ours"]),
            ),
        ],
        ("", "time", "tokens/s", "times as fast", "losses"),
        f"{ratio:.2f} times as fast (aim: at least 1.5); the loss curves differ by at most {difference:.1e}.{share}",
    )


if __name__ == "__main__":
    cli.run(main)

"""Choices: the likelihood of 20 titles on the shared keys and values of a prompt, against 20 whole passes.

The same model, prompts of a next-item question's length and titles of a few tokens. The peer reads each prompt with each title, as a batch
of a prompt's 20 rows of one padded width, with the logits of the titles alone.

examples:
  python benchmarks/choices.py
  python benchmarks/choices.py --shape 7b --dtype bfloat16     # with a GPU
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from harness import markdown, shapes, timing

from rella_hub import cli
from rella_hub.cli.options import option
from rella_hub.language_models.continuations import log_likelihoods
from rella_hub.language_models.p_yes import Budget

TITLE = (3, 12)  # tokens, as titles of movies have
PROMPT = (350, 450)


@dataclass(frozen=True)
class Arguments:
    shape: str = option("25m or 7b, the shape of a Llama.", "25m")
    dtype: str = option("float32 or bfloat16.", "float32")
    questions: int = option("Next-item questions.", 4)
    candidates: int = option("Candidates of each.", 20)
    runs: int = option("Counted turns.", 5)


def main() -> None:
    (options,) = cli.parse(Arguments, description=__doc__)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = shapes.llama(options.shape, getattr(torch, options.dtype), device, False).eval()
    rng = np.random.default_rng(0)
    prompts = [_tokens(rng, PROMPT) for _ in range(options.questions)]
    titles = [[_tokens(rng, TITLE) for _ in range(options.candidates)] for _ in prompts]
    ours, peer = (
        lambda: log_likelihoods(model, prompts, titles, Budget()),
        lambda: whole_passes(model, prompts, titles),
    )
    times = timing.interleaved({"ours": ours, "peer": peer}, options.runs)
    difference = np.abs(ours() - peer()).max()
    ratio = timing.median_ratio(times["peer"], times["ours"])
    usual = (options.shape, options.dtype) == ("25m", "float32")
    markdown.write(
        "choices" if usual else f"choices_{options.shape}_{options.dtype}",
        f"The likelihood of {options.candidates} titles against {options.candidates} whole passes",
        f"Llama of shape {options.shape} ({model.num_parameters() / 1e6:.1f} million weights, {options.dtype}), {len(prompts)} prompts of "
        f"{PROMPT[0]} to {PROMPT[1]} tokens with {options.candidates} titles of {TITLE[0]} to {TITLE[1]} tokens; median of {options.runs} "
        "interleaved runs (range).",
        [
            (f"{options.candidates} whole passes", times["peer"], f"{len(prompts) / times['peer'].median:.2f}", "1.00"),
            ("this project", times["ours"], f"{len(prompts) / times['ours'].median:.2f}", f"{ratio:.2f}"),
        ],
        ("", "time", "questions/s", "times as fast"),
        f"{ratio:.2f} times as fast (aim: at least 5). Largest difference of a log-likelihood: {difference:.1e}.",
    )


def whole_passes(model, prompts: list[list[int]], titles: list[list[list[int]]]) -> np.ndarray:
    """What a user writes: each prompt with each of its titles as a row, padded at the right."""
    device = next(model.parameters()).device
    found = []
    for prompt, several in zip(prompts, titles, strict=True):
        longest = max(map(len, several))
        rows = torch.tensor([[*prompt, *title, *([0] * (longest - len(title)))] for title in several], device=device)
        with torch.inference_mode():
            logits = model(input_ids=rows, logits_to_keep=longest + 1, use_cache=False).logits[:, :-1].float()
        said = rows[:, len(prompt) :]
        log_p = logits.log_softmax(dim=2).gather(2, said[:, :, None])[:, :, 0].double()
        there = torch.arange(longest) < torch.tensor([len(title) for title in several])[:, None]
        found.append(log_p.cpu().masked_fill(~there, 0).sum(dim=1).numpy())
    return np.stack(found)


def _tokens(rng: np.random.Generator, length: tuple[int, int]) -> list[int]:
    return rng.integers(3, shapes.VOCABULARY, rng.integers(length[0], length[1] + 1)).tolist()


if __name__ == "__main__":
    cli.run(main)

"""Greedy answers of a line: what a model writes after each prompt, up to the first newline.

A batch is padded at the left, where the padding is masked and has no position, so that an answer does not depend on what it is generated
beside. Padding at the right, as LLaRA's released code has it, goes on from a padding token and changes with the size of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from transformers import GenerationConfig, PreTrainedTokenizerBase

from rella_hub.language_models.continuations import pad_left
from rella_hub.language_models.p_yes import Budget, batches_of_like_length

END = "\n"
LONGEST_ANSWER = 64  # tokens (LLaRA, released code)


def first_lines(
    model: torch.nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    budget: Budget,
    longest: int = LONGEST_ANSWER,
    advance: Callable[[int, int], None] | None = None,
) -> list[str]:
    """The line that follows each tokenized prompt, without its newline; `longest` tokens of it where it does not end before."""
    lines = [""] * len(prompts)
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode(), plainly(model):
            for rows in batches_of_like_length([len(prompt) + longest for prompt in prompts], budget.tokens):
                for row, text in zip(
                    rows, _written(model, tokenizer, [prompts[row] for row in rows], longest), strict=True
                ):
                    lines[row] = text.partition(END)[0]
                if advance is not None:
                    advance(len(rows), sum(len(prompts[row]) for row in rows))
    finally:
        model.train(was_training)
    return lines


def _written(model, tokenizer: PreTrainedTokenizerBase, prompts: list, longest: int) -> list[str]:
    """What is written after each prompt of a batch."""
    input_ids, real = (one.to(next(model.parameters()).device) for one in pad_left(prompts))
    settings = GenerationConfig(
        do_sample=False,
        num_beams=1,
        max_new_tokens=longest,
        stop_strings=[END],
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0,
    )
    # As vectors: a prompt may hold items, which are no tokens of the vocabulary.
    written = model.generate(
        inputs_embeds=model.get_input_embeddings()(input_ids),
        attention_mask=real.long(),
        generation_config=settings,
        tokenizer=tokenizer,
    )
    return tokenizer.batch_decode(written, skip_special_tokens=True)


@contextmanager
def plainly(model: torch.nn.Module) -> Iterator[None]:
    """Without what the model's own `generation_config.json` adds to greedy decoding, such as a penalty of repetitions."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    own = inner.generation_config
    inner.generation_config = GenerationConfig()
    try:
        yield
    finally:
        inner.generation_config = own

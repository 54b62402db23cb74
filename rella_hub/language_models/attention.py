"""What a decoder looks at when it answers: the last layer's attention from the answer's position to parts of the prompt.

    model reads tokens 1 ... T-1, by whatever attention is fast, into its cache
    model reads token T alone, by attention that gives its weights   →   (H, T), one row of each head

So no matrix of (T, T) weights is ever made, and the row is that of the model's own code, whichever model it is: with soft caps, sinks and
sliding windows. It equals the last row of the last of `output_attentions` of a whole forward pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from rella_hub.language_models.tokens import Answers, encode_prompts, in_template

GIVES_WEIGHTS = "eager"  # the attention implementation of transformers that can say what it weighed


@dataclass(frozen=True)
class Answering:
    """A model at the point of answering one prompt."""

    attention: np.ndarray  # (H, T) float32 of the last layer, from the last token of the prompt to each of its T tokens
    p_yes: float


def answering(model: torch.nn.Module, prompt: Sequence[int], answers: Answers) -> Answering:
    """Read one tokenized prompt. ValueError where the model gives no attention weights."""
    ids = torch.tensor([list(prompt)], device=next(model.parameters()).device)
    if ids.shape[1] < 2:
        raise ValueError(f"The prompt has {ids.shape[1]} tokens; at least 2 are needed to look back from the last one.")
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            read = model(input_ids=ids[:, :-1], use_cache=True, logits_to_keep=1)
            if getattr(read, "past_key_values", None) is None:
                raise ValueError(_no_weights(model, "it keeps no cache of what it has read"))
            with _giving_weights(model):
                last = model(
                    input_ids=ids[:, -1:],
                    past_key_values=read.past_key_values,
                    use_cache=True,
                    output_attentions=True,
                )
    finally:
        model.train(was_training)
    pair = last.logits[0, -1, [answers.no, answers.yes]].double().softmax(dim=0)
    return Answering(_row(model, last, ids.shape[1]), float(pair[1]))


def tokens_of(
    tokenizer: PreTrainedTokenizerBase,
    prompt: str,
    places: Sequence[tuple[int, int]],
    max_length: int | None = None,
    chat_template_kwargs: Mapping | None = None,
) -> tuple[list[int], list[np.ndarray]]:
    """The prompt as the model reads it, and for each place (begin, end) in its text the numbers of the tokens that end there.

    ValueError where the tokenizer does not tell which characters a token is of.
    """
    (ids,) = encode_prompts(tokenizer, [prompt], max_length, chat_template_kwargs)
    written = in_template(tokenizer, prompt, chat_template_kwargs)
    if not tokenizer.is_fast:
        raise ValueError(
            f"The tokenizer of {tokenizer.name_or_path!r} does not tell which characters a token is of. Take a base with a tokenizer.json."
        )
    encoded = tokenizer(written, add_special_tokens=written == prompt, return_offsets_mapping=True)
    last = np.array([end - 1 for _, end in encoded["offset_mapping"][: len(ids)]])  # (T,) of each token; -1: of no text
    begins = written.rfind(prompt.strip()) - (len(prompt) - len(prompt.lstrip()))  # a template may trim the message
    return ids, [np.flatnonzero((last >= begins + begin) & (last < begins + end)) for begin, end in places]


def shares(attention: np.ndarray, parts: Sequence[np.ndarray]) -> np.ndarray:
    """(len(parts),) of the attention (H, T), the mean over the heads of what all tokens of each part get together."""
    per_token = attention.mean(axis=0, dtype=np.float64)  # (T,)
    return np.array([per_token[tokens].sum() for tokens in parts])


@contextmanager
def _giving_weights(model: torch.nn.Module) -> Iterator[None]:
    """The model with attention that gives its weights, and as it was afterwards."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model  # of an adapter
    before = inner.config._attn_implementation
    try:
        inner.set_attn_implementation(GIVES_WEIGHTS)
    except (ValueError, ImportError, AttributeError) as error:
        raise ValueError(_no_weights(model, f"it cannot compute by {GIVES_WEIGHTS} attention: {error}")) from error
    try:
        yield
    finally:
        inner.set_attn_implementation(before)


def _row(model: torch.nn.Module, output, length: int) -> np.ndarray:
    """(H, T) of the last layer that attends. A layer with a sliding window keeps the latest tokens alone; the others get 0."""
    layers = [layer for layer in getattr(output, "attentions", None) or () if layer is not None]
    if not layers:
        raise ValueError(_no_weights(model, "its layers return none"))
    row = layers[-1][0, :, -1].float().cpu().numpy()  # (H, t)
    return np.pad(row, ((0, 0), (length - row.shape[1], 0)))


def _no_weights(model: torch.nn.Module, why: str) -> str:
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return (
        f"{type(inner).__name__} gives no attention weights ({why}), so what it looks at cannot be shown. Take a base whose attention "
        f"can be computed as {GIVES_WEIGHTS!r}, such as a Llama."
    )

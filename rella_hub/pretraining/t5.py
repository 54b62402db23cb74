"""A small T5 from scratch: it learns to fill in spans of text that were taken out.

    text    w1 w2 w3 w4 w5 w6      input  w1 <extra_id_0> w4 w5 <extra_id_1>      output  <extra_id_0> w2 w3 <extra_id_1> w6

Source: Raffel et al., "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer", JMLR 2020, section 3.1.4: 15%
of the tokens, in spans of 3 in the mean; texts stand end to end in rows.
"""

from __future__ import annotations

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase, T5Config, T5ForConditionalGeneration, T5Tokenizer

from rella_hub.language_models.answers import IGNORED

NOISE, SPAN = 0.15, 3.0
LONGEST_ROW = 512  # tokens, as in T5's own pretraining; spans of a longer row could outnumber the sentinels
WIDENING = 4  # width of the feed-forward layers, in units of the hidden size
ANSWERS = ("no", "yes")  # as P5 answers, each one piece of the tokenizer


def make_model(options, tokenizer: T5Tokenizer) -> T5ForConditionalGeneration:
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=options.hidden_size,
        d_kv=options.hidden_size // options.heads,
        d_ff=WIDENING * options.hidden_size,
        num_layers=options.layers,
        num_heads=options.heads,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    config.decoder_start_token_id = tokenizer.pad_token_id
    return T5ForConditionalGeneration(config)


def make_rows(tokenizer: PreTrainedTokenizerBase, texts: list[str], width: int) -> list[dict]:
    """The texts end to end, each closed by the end token, in rows of `width` tokens and a last one of fewer."""
    flat = [token for ids in tokenizer(texts)["input_ids"] for token in ids]
    rows = [flat[begin : begin + width] for begin in range(0, len(flat), width)]
    return [{"input_ids": row} for row in rows if len(row) > 1]


class SpanCorruption:
    """Rows → a batch of what is left of them and what was taken out, drawn anew each time."""

    def __init__(self, tokenizer: T5Tokenizer, seed: int):
        self._rng = np.random.default_rng(seed)
        names = [f"<extra_id_{number}>" for number in range(100)]
        self._sentinels = np.array(tokenizer.convert_tokens_to_ids(names))
        self._end, self._pad = tokenizer.eos_token_id, tokenizer.pad_token_id

    def __call__(self, rows: list[dict]) -> dict[str, torch.Tensor]:
        """`input_ids`, `attention_mask` (B, T) and `labels` (B, A)."""
        left, taken = zip(*(self.corrupt(np.array(row["input_ids"])) for row in rows), strict=True)
        ids = _padded(left, self._pad)
        lengths = torch.tensor([len(row) for row in left])
        real = torch.arange(ids.shape[1]) < lengths[:, None]
        return {"input_ids": ids, "attention_mask": real.long(), "labels": _padded(taken, IGNORED)}

    def corrupt(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What is left of a row and what is taken out of it, each with the end token; a sentinel stands for each span of the other."""
        noise = noise_mask(len(ids), self._rng)
        begins_noise = noise & ~np.pad(noise, (1, 0))[:-1]
        begins_kept = ~noise & np.pad(noise, (1, 0), constant_values=True)[:-1]
        return self._with_sentinels(ids, noise, begins_noise), self._with_sentinels(ids, ~noise, begins_kept)

    def _with_sentinels(self, ids: np.ndarray, hidden: np.ndarray, begins: np.ndarray) -> np.ndarray:
        ids = ids.copy()
        ids[begins] = self._sentinels[: begins.sum()]
        return np.append(ids[~hidden | begins], self._end)


def noise_mask(length: int, rng: np.random.Generator) -> np.ndarray:
    """(length,) whether a token is taken out: the first never is, the last always."""
    noise = int(np.clip(round(length * NOISE), 1, length - 1))
    spans = max(1, min(round(noise / SPAN), length - noise))
    lengths = np.column_stack([_cut(length - noise, spans, rng), _cut(noise, spans, rng)]).ravel()
    return np.repeat(np.arange(2 * spans) % 2 == 1, lengths)


def _cut(total: int, parts: int, rng: np.random.Generator) -> np.ndarray:
    """(parts,) lengths from 1 that add up to `total`, every choice as likely as any other."""
    cuts = np.sort(rng.choice(total - 1, parts - 1, replace=False)) + 1
    return np.diff(np.concatenate([[0], cuts, [total]]))


def _padded(rows: tuple[np.ndarray, ...], value: int) -> torch.Tensor:
    padded = torch.full((len(rows), max(map(len, rows))), value)
    for number, row in enumerate(rows):
        padded[number, : len(row)] = torch.from_numpy(row)
    return padded

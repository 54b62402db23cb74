"""P5: a T5 whose encoder is told which pieces make a word, and that answers a text with yes or no.

    h_t = E[token_t] + W[word_t]      word_t: the running count of word starts, 0 for the end of the text
    P(Yes) = exp(s_yes) / (exp(s_yes) + exp(s_no))      s: logits at the first position of the decoder, whose input is the start token

Source: Geng et al. 2022 and its released code (whole words: a table of 512 rows, added to the encoder's embeddings and to no others).

Divergence, where the score is read. Paper: not said. Released code: the second generated position, though yes and no are trained at the
first. Ours: the first. Why: it is the position that was trained.

Divergence, whole words in scoring. Paper: not said. Released code: given in training, left out in validation and evaluation. Ours: given in
both, left out on demand (`whole_words`). Why: a model should be asked as it was trained.
"""

from __future__ import annotations

import torch
from torch import nn
from transformers import T5Config, T5ForConditionalGeneration

from rella_hub.systems.seq2seq.options import WHOLE_WORDS


class P5(T5ForConditionalGeneration):
    # A T5 has none; load_model looks whether they should be there.
    _keys_to_ignore_on_load_missing = [r"^whole_words\.weight$"]  # noqa: RUF012

    def __init__(self, config: T5Config):
        super().__init__(config)
        self.whole_words = nn.Embedding(WHOLE_WORDS, config.d_model)

    def answer_logits(
        self, ids: torch.Tensor, real: torch.Tensor, words: torch.Tensor | None, said: torch.Tensor | None = None
    ) -> torch.Tensor:
        """(B, 1 + A, V) logits of the answer's tokens. ids, real, words: (B, T), words None where they are left out.

        said: (B, A) tokens of the answer before the last one that is asked for.
        """
        embedded = self.shared(ids)  # (B, T, D)
        if words is not None:
            embedded = embedded + self.whole_words(words)
        begin = torch.full((len(ids), 1), self.config.decoder_start_token_id, device=ids.device)
        return self(
            inputs_embeds=embedded,
            attention_mask=real.long(),
            decoder_input_ids=begin if said is None else torch.cat([begin, said], dim=1),
            use_cache=False,
        ).logits

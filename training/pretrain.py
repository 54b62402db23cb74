"""Pretrain a small base model, a Llama or a T5, on a corpus's own text, where no Hub model can be had.

The text holds item descriptions, item facts and rating diaries of training samples; no validation or test label and not the
prompts' question (rella_hub/pretraining/text.py). The result is an ordinary model folder that every other command takes as
--base or --encoder; a T5 is the --t5 of training/seq2seq.py. With --push_to_hub it is published when it is finished, so that its
adapters load for others, too: privately where the corpus's terms forbid more, because its tokenizer and weights hold the corpus's text.
Permission to push is checked before training.

examples:
  python training/pretrain.py --config training/recipes/demo/base.yaml
  python training/pretrain.py --dataset rella/ml1m --history_length 30 --hidden_size 256 --output runs/ml1m/base
  python training/pretrain.py --config training/recipes/ml1m/small_t5.yaml
  python training/pretrain.py --config training/recipes/ml1m/small_base.yaml --push_to_hub --hub_model_id me/ml1m-small-base
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from rella_hub import cli
from rella_hub.cli.options import option

ARCHITECTURES = ("llama", "t5")
SHORTEST_ROW = 8  # of which a T5 can fill in a token
NARROWEST = 16  # the feed-forward layers are 8/3 as wide, in steps of 32


@dataclass(frozen=True)
class PretrainArguments:
    dataset: str = option("Data set folder or Hub id, with the views recency and subr at this history length.")
    history_length: int = option("K of the views that the rating diaries show.")
    output: str = option("Folder of the base model.", pins=False)
    architecture: str = option("llama, which goes on with texts, or t5, which fills in what is missing.", "llama")
    diaries: int = option("Training samples written as diaries, of each of the two views.", 20_000)
    item_rounds: int = option("How many times the item documents are repeated, with new questions.", 10)
    vocabulary: int = option("Size of the tokenizer's vocabulary.", 2_000)
    hidden_size: int = option("Width of the model.", 128)
    layers: int = option("Transformer layers; of a T5 in its encoder and again in its decoder.", 4)
    heads: int = option("Attention heads a layer.", 4)
    context: int = option("Longest text the model is made for, in tokens; of a T5, whose rows have 512 at most.", 2048)
    batch_size: int = option("Documents per step.", 32)
    epochs: float = option("Passes over the text.", 1.0)
    learning_rate: float = option("Peak learning rate of AdamW; linear warm-up, cosine decay.", 2e-3)
    overwrite: bool = option("Replace a base model that was made from other inputs.", False, pins=False)
    seed: int = option("Seed of the text, the weights and the order.", 0)

    def __post_init__(self) -> None:
        counts = ("history_length", "item_rounds", "vocabulary", "layers", "heads", "context", "batch_size", "diaries")
        if self.architecture not in ARCHITECTURES:
            raise ValueError(f"--architecture is {self.architecture!r}; expected one of {', '.join(ARCHITECTURES)}.")
        for name in counts:
            if getattr(self, name) < 1:
                raise ValueError(f"--{name} is {getattr(self, name)}; at least 1 is needed.")
        for name in ("epochs", "learning_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"--{name} is {getattr(self, name)}; it must be above 0, and finite.")
        if self.architecture == "t5" and self.context < SHORTEST_ROW:
            raise ValueError(f"--context is {self.context}; the rows of a T5 have at least {SHORTEST_ROW} tokens.")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"--seed is {self.seed}; expected at least 0 and below 2**32.")
        if self.hidden_size < NARROWEST or self.hidden_size % (2 * self.heads):  # rotary positions turn pairs
            raise ValueError(
                f"--hidden_size is {self.hidden_size}; expected at least {NARROWEST} and a multiple of twice --heads ({self.heads})."
            )


def main() -> None:
    from rella_hub.cards.publishing.arguments import HubArguments, PublishingArguments, PushArguments

    options, hub, publishing = cli.parse(PretrainArguments, HubArguments, PublishingArguments, description=__doc__)
    from rella_hub.pretraining.run import pretrain

    if hub.push_to_hub:
        from rella_hub.cards.publishing.base_model import check_before_pretraining, push_base

        push = PushArguments(options.output, hub.hub_model_id, private=hub.hub_private_repo)
        check_before_pretraining(options.dataset, push, publishing)
    pretrain(options, Path(options.output))
    if hub.push_to_hub:
        push_base(push, publishing)


if __name__ == "__main__":
    cli.run(main)

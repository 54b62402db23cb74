"""Pretrain a small Llama-shaped base model on a corpus's own text, where no Hub model can be had.

The text holds item descriptions, item facts and rating diaries of training samples; no validation or test label and not the
prompts' question (rella_hub/pretraining/text.py). The result is an ordinary model folder that every other command takes as
--base or --encoder. With --push_to_hub it is published when it is finished, so that its adapters load for others, too: privately where the
corpus's terms forbid more, because its tokenizer and weights hold the corpus's text. Permission to push is checked before training.

examples:
  python training/pretrain.py --config training/recipes/demo/base.yaml
  python training/pretrain.py --dataset rella/ml1m --history_length 30 --hidden_size 256 --output runs/ml1m/base
  python training/pretrain.py --config training/recipes/ml1m/small_base.yaml --push_to_hub --hub_model_id me/ml1m-small-base
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from rella_hub import cli

NARROWEST = 16  # the feed-forward layers are 8/3 as wide, in steps of 32


@dataclass(frozen=True)
class PretrainArguments:
    dataset: str = field(
        metadata={"help": "Data set folder or Hub id, with the views recency and subr at this history length."}
    )
    history_length: int = field(metadata={"help": "K of the views that the rating diaries show."})
    output: str = field(metadata={"help": "Folder of the base model."})
    diaries: int = field(
        default=20_000, metadata={"help": "Training samples written as diaries, of each of the two views."}
    )
    item_rounds: int = field(
        default=10, metadata={"help": "How many times the item documents are repeated, with new questions."}
    )
    vocabulary: int = field(default=2_000, metadata={"help": "Size of the tokenizer's vocabulary."})
    hidden_size: int = field(default=128, metadata={"help": "Width of the model."})
    layers: int = field(default=4, metadata={"help": "Transformer layers."})
    heads: int = field(default=4, metadata={"help": "Attention heads a layer."})
    context: int = field(default=2048, metadata={"help": "Longest text the model is made for, in tokens."})
    batch_size: int = field(default=32, metadata={"help": "Documents per step."})
    epochs: float = field(default=1.0, metadata={"help": "Passes over the text."})
    learning_rate: float = field(
        default=2e-3, metadata={"help": "Peak learning rate of AdamW; linear warm-up, cosine decay."}
    )
    overwrite: bool = field(default=False, metadata={"help": "Replace a base model that was made from other inputs."})
    seed: int = field(default=0, metadata={"help": "Seed of the text, the weights and the order."})

    def __post_init__(self) -> None:
        counts = ("history_length", "item_rounds", "vocabulary", "layers", "heads", "context", "batch_size", "diaries")
        for name in counts:
            if getattr(self, name) < 1:
                raise ValueError(f"--{name} is {getattr(self, name)}; at least 1 is needed.")
        for name in ("epochs", "learning_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"--{name} is {getattr(self, name)}; it must be above 0, and finite.")
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

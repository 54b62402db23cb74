"""What a run of a hybrid system is made of, and what it leaves: the result whole, its recipe, its curve and its record."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import yaml
from peft import PeftModel

from rella_hub.cli.options import pinning, recipe
from rella_hub.files import ownership
from rella_hub.files.hashes import hash_file
from rella_hub.hub import resolve as hub
from rella_hub.language_models.load import base_identity, write_base_record
from rella_hub.prompts.choosing.next_item import VERSION
from rella_hub.systems.adapter.run_folder import draw_log
from rella_hub.systems.hybrid.items import save_items
from rella_hub.systems.hybrid.options import MARK, READS, RESULT, RUN, Options
from rella_hub.systems.hybrid.questions import require_questions
from rella_hub.systems.sequential.items import ItemTable, read_item_table
from rella_hub.tables import records, store
from rella_hub.tables.runs import CURVE, RECIPE, RECORD, public_name

NAMES_A_PLACE = ("base_model_name_or_path", "revision")  # base_model.json says the base
OF_PEFT = ("adapter_config.json", "README.md")  # what PEFT writes beside the weights; llara.json says the same


@dataclass(frozen=True)
class Inputs:
    folder: Path  # of the data set
    table: ItemTable | None  # of the recommender
    base: dict  # its identity
    made_from: dict  # everything that pins the result


def inputs_of(options: Options) -> Inputs:
    folder = hub.resolve(
        options.dataset, [options.config_name, "items", "samples", "interactions"], options.dataset_revision
    )
    require_questions(folder, options.config_name)
    records.require_current(folder, options.config_name)
    table = read_item_table(options.recommender, options.recommender_revision) if options.recommender else None
    if table is not None:
        table.require_same_items(folder)
    base = base_identity(options.base, options.base_revision)
    made_from = {
        "corpus": store.made_from(folder, "items")["corpus"],
        "inputs": records.input_fingerprints(folder, [options.config_name, "items"]),
        "base_model": {key: base[key] for key in ("weights", "config", "tokenizer")}
        | {"name": public_name(options.base)},
        "recommender": None if table is None else table.identity,
        "prompt_version": VERSION,
        "recipe": pinning(options),
    }
    return Inputs(folder, table, base, made_from)


def save(model: PeftModel, output: Path, options: Options, inputs: Inputs, record: dict) -> None:
    """Replace the result, and then write the record, which says that the run is finished."""
    with ownership.writing_folder(output / RESULT, RUN) as temporary:
        model.save_pretrained(str(temporary))
        settings = json.loads((temporary / OF_PEFT[0]).read_text(encoding="utf-8"))
        settings = {key: value for key, value in settings.items() if value and key not in NAMES_A_PLACE}
        for name in OF_PEFT:
            (temporary / name).unlink(missing_ok=True)
        write_base_record(temporary, inputs.base | {"name": options.base}, options.chat_template_kwargs)
        if inputs.table is not None:
            save_items(inputs.table, temporary)
        mark = {
            "corpus": inputs.made_from["corpus"],
            "config_name": options.config_name,
            "curriculum": options.curriculum,
            "max_length": options.max_length,
            "prompt_version": VERSION,
            "num_shots": options.num_shots,
            "training_samples": record["training_samples"],
            "recommender": inputs.made_from["recommender"],
            "sha256": {path.name: hash_file(path) for path in sorted(temporary.glob("*.safetensors"))},
            "lora": settings,
        }
        (temporary / MARK).write_text(json.dumps(mark, indent=2) + "\n", encoding="utf-8")
        record |= {"sha256": {path.name: hash_file(path) for path in sorted(temporary.iterdir())}}
        ownership.remove(output, RUN, [RECORD])  # of an older run
    texts = {
        RECIPE: yaml.safe_dump(recipe(options, READS), sort_keys=False),
        RECORD: json.dumps(record, indent=2) + "\n",
    }
    with ownership.writing_file(output / CURVE, RUN, True) as temporary:
        draw_log(temporary, record["log"], "hit_ratio", "validation HitRatio@1")
    for name, text in texts.items():
        with ownership.writing_file(output / name, RUN, True) as temporary:
            temporary.write_text(text, encoding="utf-8")
    best = record["best_validation"]
    print(
        f"{output / RESULT}: validation HitRatio@1 {best['hit_ratio']:.4f} at step {record['best_step']}.", flush=True
    )

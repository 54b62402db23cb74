"""TALLRec's first stage: the same LoRA is tuned on general instructions before it is tuned on prompts.

Source: TALLRec (arXiv 2305.00447): instruction tuning on the self-instruct data of Alpaca, then rec-tuning of the same weights, the loss on
every token of both. The words around an instruction are not Alpaca's: it stands as the base's chat template has it, or plain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from datasets import Dataset, load_dataset
from peft import LoraConfig
from transformers import PreTrainedTokenizerBase
from trl import SFTConfig

from rella_hub.files.hashes import hash_file
from rella_hub.hub.download import snapshot
from rella_hub.language_models.answer_rows import rows_on_disk
from rella_hub.language_models.answers import AnswerTrainer
from rella_hub.language_models.tokens import encode_prompts
from rella_hub.tables.checked import shown
from rella_hub.texts.shown import first_line

READERS = {".json": "json", ".jsonl": "json", ".parquet": "parquet"}
COLUMNS = ("instruction", "output")  # and input, where there is one
NO_VALIDATION = {"eval_strategy": "no", "save_strategy": "no", "load_best_model_at_end": False}


@dataclass(frozen=True)
class Instructions:
    """Instruction data, found and not read yet."""

    name: str
    files: tuple[Path, ...]

    @property
    def sha256(self) -> str:
        return "+".join(hash_file(path) for path in self.files)


def find(name: str, revision: str | None) -> Instructions:
    """A JSON, JSON Lines or Parquet file, or a data set of the Hub that has some. ValueError where there is none."""
    path = Path(name)
    if path.is_file():
        if revision is not None:
            raise ValueError(
                f"{name} is a file here, which has no revision {revision!r}. Leave --instructions_revision out."
            )
        found = [path]
    else:
        try:
            folder = snapshot(name, "dataset", [f"*{ending}" for ending in READERS], revision)
        except ValueError as error:
            raise ValueError(
                f"The instructions {name!r} were found neither in a file here nor on the Hub ({error}). Leave --instructions out to skip "
                "the first stage."
            ) from error
        found = sorted(
            path for path in folder.rglob("*") if path.suffix in READERS and path.name != "dataset_infos.json"
        )
    if not found or len({path.suffix for path in found}) > 1 or found[0].suffix not in READERS:
        raise ValueError(
            f"The instructions {name!r} are no files of one kind among {', '.join(READERS)}. Give one such file with instruction, "
            "input and output."
        )
    return Instructions(name, tuple(found))


def read(found: Instructions) -> Dataset:
    """Records with instruction, input and output. ValueError where a record lacks one of the others than input."""
    kind = READERS[found.files[0].suffix]
    try:
        records = load_dataset(kind, data_files=[str(path) for path in found.files], split="train")
    except Exception as error:  # whatever a damaged file makes the library raise
        raise ValueError(f"The instructions {found.name!r} cannot be read: {first_line(error)}") from error
    missing = [column for column in COLUMNS if column not in records.column_names]
    if missing or not len(records):
        raise ValueError(
            f"The instructions {found.name!r} have {len(records):,} records of {', '.join(map(shown, records.column_names)) or 'nothing'}; "
            f"expected {' and '.join(COLUMNS)}, and input where there is one."
        )
    return records


def tokenized(records: Dataset, tokenizer: PreTrainedTokenizerBase, options, path: Path) -> tuple[Dataset, int]:
    """Rows with the loss on every token, in the file `path`, and how many records are left out because they are over the budget."""
    asked, said, left_out = [], [], 0
    for record in records:
        prompt = "\n".join(part for part in (record["instruction"], record.get("input")) if part) + "\n"
        (ids,) = encode_prompts(tokenizer, [prompt], None, options.chat_template_kwargs)
        answer = tokenizer(record["output"], add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
        answer = [token for token in answer if token is not None]
        if len(ids) + len(answer) > options.max_length:
            left_out += 1
        else:
            asked.append(ids)
            said.append(answer)
    if not asked:
        raise ValueError(
            f"All {left_out:,} instructions are longer than --max_length {options.max_length} tokens. Raise it."
        )
    return rows_on_disk(path, [(asked, said)], loss_on_prompt=True), left_out


def first_stage(
    model: torch.nn.Module,
    lora: LoraConfig | None,
    arguments: SFTConfig,
    options,
    tokenizer: PreTrainedTokenizerBase,
    scratch: Path,
) -> torch.nn.Module:
    """The model after the first stage, with the LoRA that goes on; an interrupted one begins anew."""
    records = read(find(options.instructions, options.instructions_revision))
    rows, left_out = tokenized(records, tokenizer, options, scratch / "instructions.arrow")
    print(
        f"first stage: {len(rows):,} instructions of {options.instructions}, {left_out:,} left out because they are longer than "
        f"{options.max_length:,} tokens.",
        flush=True,
    )
    once = {"num_train_epochs": options.instruction_epochs, "max_steps": -1, "output_dir": str(scratch / "first_stage")}
    trainer = AnswerTrainer(
        model=model,
        args=replace(arguments, **NO_VALIDATION, **once),
        train_dataset=rows,
        processing_class=tokenizer,
        peft_config=lora,
        yes=0,
        score=None,
        measure=None,
    )
    trainer.train()
    assert trainer.model is not None, "a trainer was given its model"
    return trainer.model

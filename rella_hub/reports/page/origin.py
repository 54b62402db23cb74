"""How a number of ours was made: what was scored, in words, with the card of the system and the commands that score it again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rella_hub.cards import verdict
from rella_hub.cards.publishing.staging import CARD
from rella_hub.cards.results import sha256_of
from rella_hub.files.hashes import hash_file
from rella_hub.metrics.uncertainty.p_value import p_text
from rella_hub.reports.page.sources import Reported
from rella_hub.tables.checked import read_text
from rella_hub.tables.runs import HUB_ID, RESULTS, public_name
from rella_hub.texts.shown import in_shell, plain

HUB = "https://huggingface.co"
ARXIV = re.compile(r"arXiv[: ](\d{4}\.\d{4,5})")
REPORT = "python evaluation/report.py --scores <score files>"


def commands(one: Reported) -> list[str]:
    """What makes the row again: the scores, where a model gave them, and the report."""
    row, record = one.row, one.row["record"]
    if row["score_file"] is None:
        return [REPORT]
    words = ["python evaluation/score.py"]
    if record.get("model"):
        words += [f"--model {_named(record['model'])}"]
    elif record["base"]:
        words += [f"--base {_named(record['base'])}"]
        words += [f"--adapter {_named(record['adapter'])}"] if record.get("adapter") else []
        words += [f"--quantization {in_shell(record['quantization'])}"] if record.get("quantization") else []
    words += [f"--dataset {_named(record['dataset'])}", f"--config_name {in_shell(row['config_name'])}"]
    words += [f"--split {in_shell(row['split'])}"]
    if record.get("limit") is not None:
        words += [f"--limit {record['limit']}", f"--seed {record.get('seed', 0)}"]
    return [" ".join(words), REPORT]


def _named(name: str) -> str:
    """As it was typed, unless that says where things lie on the machine that scored."""
    return in_shell(public_name(name) if Path(name).is_absolute() else name)


def paper_address(source: str) -> str | None:
    """Of a paper that the source of a table names by its number on arXiv."""
    found = ARXIV.search(source)
    return f"https://arxiv.org/abs/{found[1]}" if found else None


def hub_card(record: dict) -> str | None:
    """The address of the card on the Hub, of the base model where it was scored alone; None for what is not there."""
    for kind in ("model", "adapter", "base"):
        if record.get(f"{kind}_identity"):
            name = record[f"{kind}_identity"].get("name", "")
            return f"{HUB}/{name}" if HUB_ID.fullmatch(name) else None
    return None


def local_card(record: dict) -> str | None:
    """The card that lies beside the very weights that were scored, where they are on this machine."""
    name, sha256 = record.get("model") or record.get("adapter"), sha256_of(record)
    if not name or not sha256:
        return None
    for folder in (Path(name), *(Path(name) / result for result in RESULTS)):
        weights = folder.glob("*.safetensors") if (folder / CARD).is_file() else ()
        if any(hash_file(path) == sha256 for path in weights):
            return read_text(folder / CARD)
    return None


def facts(one: Reported) -> Iterator[tuple[str, str]]:
    """What is known of a row, by name."""
    row, record = one.row, one.row["record"]
    yield "report", f"{plain(public_name(one.source.name))}, {one.source.resamples:,} resamples behind each interval"
    samples = f"{row['n']:,} of the split {row['split']}"
    if row["score_file"]:
        yield "score file", plain(Path(row["score_file"]).name)
    yield "samples", samples + (f" of {row['users']:,} users" if row.get("users") else "")
    if record.get("limit") is not None:
        yield "choice", f"{record['limit']:,} samples by the seed {record.get('seed', 0)}"
    for key in ("dataset", "base", "adapter", "model"):
        if record.get(key):
            yield key, plain(public_name(record[key]))
    for key in ("training_config", "quantization", "computed_in", "fingerprint"):
        if record.get(key):
            yield key.replace("_", " "), plain(record[key])
    if sha256_of(record):
        yield "SHA-256 of the weights", plain(sha256_of(record))
    for name, paired in row["against"].items():
        test = paired["delong"]
        p = "" if test is None else f", DeLong's p {p_text(test['p'])}"
        yield f"AUC minus that of {plain(name)}", verdict.number(paired["auc_difference"], "+") + p
    if record.get("libraries"):
        yield "libraries", ", ".join(f"{plain(name)} {plain(version)}" for name, version in record["libraries"].items())

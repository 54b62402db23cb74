"""What may not leave this machine: pickles, its paths, and a card that is not finished."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow.parquet as pq
import yaml
from huggingface_hub import ModelCard

from rella_hub.tables.store import PROVENANCE_KEY

PICKLES = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib"}
ABSOLUTE = re.compile(r"/|~/|file:|[A-Za-z]:[\\/]|\\\\")  # how a path of a machine begins
MARKS = re.compile(r"\{\{.*|\{%.*|\{#.*|\[More Information Needed\]")  # of a template that is not filled
# Code of Markdown, a block or inline, in which a name or a title may hold anything.
CODE = re.compile(r"^(`{3,})[a-z]*\n.*?^\1$|(?<!`)(`+)(?!`).+?(?<!`)\2(?!`)", re.DOTALL | re.MULTILINE)


def refuse_pickles(folder: Path, weights: str) -> None:
    """weights: the name of the one file of `folder` that holds them."""
    found = sorted(path for path in folder.rglob("*") if path.suffix in PICKLES)
    if found:
        raise ValueError(
            f"{found[0]} is a pickle, which can run code where it is loaded. Weights are published as {weights} only: "
            f"look where the file comes from, delete it, and push again."
        )


def check_staged(folder: Path, run: Path, needed: Sequence[str]) -> None:
    """ValueError when a file that is to be published names a path of this machine, or when the card is not finished.

    needed: the keys that the YAML of the card must have.
    """
    places = {str(place) for place in (Path.cwd(), Path.home(), run.resolve(), folder) if place != Path(place.anchor)}
    named = re.compile("|".join(rf"(?<![\w./-]){re.escape(place)}(?![\w-])" for place in sorted(places)))
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        for text, whole in _texts(path):
            if named.search(text) or (whole and ABSOLUTE.match(text)):
                raise ValueError(
                    f"{path.relative_to(folder).as_posix()} would publish a path of this machine: {text.strip()[:200]!r}. Make what holds "
                    "it again with relative names or Hub ids, and push again."
                )
    check_card((folder / "README.md").read_text(encoding="utf-8"), needed)


def check_card(text: str, needed: Sequence[str]) -> None:
    """ValueError when a card has template marks, or a head that the Hub's own library reads otherwise than it stands."""
    head, _, body = text.removeprefix("---\n").partition("\n---\n")
    left = MARKS.search(CODE.sub("", body))
    if left:
        raise ValueError(f"The card has a place that was not filled: {left[0][:80]!r}. This is a bug of the template.")
    head = yaml.safe_load(head)
    card = ModelCard(text)
    if card.data.to_dict() != head:
        raise ValueError(f"The YAML of the card is not what the Hub's library reads from it: {head}.")
    missing = [key for key in needed if not head.get(key)]
    if missing:
        raise ValueError(f"The YAML of the card lacks {', '.join(missing)}; it has {', '.join(head)}.")


def _texts(path: Path) -> Iterator[tuple[str, bool]]:
    """The texts in a file, each with whether it is the whole of a value."""
    if path.suffix == ".md":
        yield from ((line, False) for line in path.read_text(encoding="utf-8").splitlines())
    elif path.suffix in (".yaml", ".json") and path.name != "tokenizer.json":  # a vocabulary may well begin with /
        parse = yaml.safe_load if path.suffix == ".yaml" else json.loads
        yield from ((value, True) for value in _values(parse(path.read_text(encoding="utf-8"))))
    elif path.suffix == ".parquet":
        record = (pq.read_schema(path).metadata or {}).get(PROVENANCE_KEY, b"{}")  # a vocabulary has none
        yield from ((value, True) for value in _values(json.loads(record)))


def _values(value) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _values(one)

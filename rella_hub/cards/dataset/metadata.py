"""The YAML at the head of a data card: what the Hub, its viewer and `load_dataset` read.

`load_dataset` caches the rows of a local folder under a key that knows nothing of the files' contents, only of `configs` and
`dataset_info` as they stand here. So each config's description carries the hash of its files: a rebuilt table is read anew.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import yaml
from datasets import DatasetInfo, Features
from datasets.splits import SplitDict, SplitInfo

from rella_hub import views
from rella_hub.cards.dataset.rationales import described as of_rationales
from rella_hub.corpora import Corpus
from rella_hub.tables import candidates, rationales, store, text_vectors
from rella_hub.views import POINTWISE, VECTORS, parse_config

TABLES = {  # in the order of the card; any other table is a view or holds the prompts of one
    "interactions": "One row an interaction of a user with an item, sorted by user and then by what comes first; `label` is what "
    "a language model is asked for.",
    "samples": "One row a prediction: `sample_id` is the row of its target in `interactions`, `position` the number of earlier "
    "behaviors of that user, which are the `position` rows right before it.",
    "users": "The users and what is known of them.",
    "items": "The items and what is known of them.",
    candidates.TABLE: "One row a next-item question: `item_ids` are the candidates in random order, the target of the sample among them.",
    text_vectors.TABLE: "Vectors of texts, of unit length, that SLIM's recommenders read: of items, or of what was written of users.",
    "item_vectors": "The vectors SUBR compares, of unit length and keyed by item; `norm` is the length each had before.",
}
SIZES = {
    1_000: "n<1K",
    10_000: "1K<n<10K",
    100_000: "10K<n<100K",
    1_000_000: "100K<n<1M",
    10_000_000: "1M<n<10M",
    100_000_000: "10M<n<100M",
}


@dataclass(frozen=True)
class Config:
    """One table of the folder, as `load_dataset(..., name)` gives it."""

    name: str
    shows: views.Config | None  # of prompts, or of the view itself; None for any other table
    rows: dict[str, int]  # of each split
    description: str
    content_sha256: str

    @property
    def holds_prompts(self) -> bool:
        return self.shows is not None and not self.name.startswith(views.TABLE)

    @property
    def rows_per_sample(self) -> int:
        """Rows of a training sample, of a config that shows some."""
        assert self.shows is not None
        return views.load_view(self.shows.view).rows_per_sample


def configs(folder: Path, names: list[str]) -> list[Config]:
    """The named tables: prompts first, then the tables they are made from, then the views."""
    with ThreadPoolExecutor() as pool:  # hashing runs outside the interpreter's lock
        hashes = dict(zip(names, pool.map(lambda name: store.content_hash(folder, name), names), strict=True))
    found = []
    for name in names:
        rows = {split: store.count_rows(folder, name, split) for split in store.table_splits(folder, name)}
        shows = parse_config(name)
        what = of_rationales(folder, name) if rationales.is_rationales(name) else _describe(name, shows)
        found.append(Config(name, shows, rows, what, hashes[name]))
    return sorted(found, key=_order)


def _order(config: Config) -> tuple:
    if candidates.parse_config(config.name):
        return False, -1, config.name
    kind = _kind(config.name)
    place = list(TABLES).index(kind) if kind else len(TABLES)
    if config.shows is None:
        return not config.holds_prompts, place, config.name
    return not config.holds_prompts, place, config.shows.view, config.shows.history_length, config.name


def _kind(name: str) -> str | None:
    """Which of TABLES a table is, or a variant of; None for every other."""
    if candidates.draw_of(name) is not None:
        return candidates.TABLE
    if text_vectors.is_text_vectors(name):
        return text_vectors.TABLE
    return VECTORS if name.startswith(f"{VECTORS}_") else name if name in TABLES else None


def default_config(found: list[Config]) -> Config:
    """What `load_dataset` without a name gives: SUBR with the longest history, else the longest prompts, else the first table."""
    questions = [config for config in found if candidates.parse_config(config.name)]
    if questions:
        return questions[0]
    prompts = [(config, config.shows) for config in found if config.shows and config.holds_prompts]
    usual = {views.config_name("subr", shows.history_length) for _, shows in prompts}
    ranked = [(config.name in usual, shows.view == "subr", shows.history_length) for config, shows in prompts]
    return prompts[ranked.index(max(ranked))][0] if prompts else found[0]


def card_metadata(folder: Path, corpus: Corpus, found: list[Config], samples: int) -> str:
    """The YAML between the two `---`, without them."""
    default = default_config(found)
    values = {
        "license": corpus.licence,
        **(
            {
                "license_name": f"{corpus.id}-terms",
                "license_link": corpus.terms_url,
                "license_details": corpus.terms,
            }
            if corpus.licence == "other"
            else {}
        ),
        "pretty_name": pretty_name(corpus),
        "language": ["en"],
        "size_categories": [next((name for bound, name in SIZES.items() if samples < bound), "100M<n<1B")],
        "task_categories": ["text-classification", "text-generation"],
        "tags": ["recommendation", "click-through-rate", "retrieval", "rella", "arxiv:2308.11131"],
        "configs": [
            {
                "config_name": config.name,
                "data_files": [{"split": s, "path": f"{config.name}/{s}-*.parquet"} for s in config.rows],
                **({"default": True} if config is default else {}),
                "description": f"{config.description} (content sha256: {config.content_sha256})",
            }
            for config in found
        ],
        "dataset_info": [{"config_name": config.name, **_info(folder, config)} for config in found],
    }
    # Not by huggingface_hub.DatasetCardData, which breaks lines of more than 80 letters.
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=1000)


def pretty_name(corpus: Corpus) -> str:
    return corpus.name if "ReLLa" in corpus.name else f"{corpus.name} for ReLLa"


def columns(folder: Path, name: str) -> dict[str, str]:
    """The columns of a table and their types, in words."""
    return {column: _type_in_words(feature) for column, feature in _features(folder, name).items()}


def vector_dimension(folder: Path, name: str) -> int:
    return _features(folder, name)["vector"].length


def _info(folder: Path, config: Config) -> dict:
    in_memory, on_disk = {}, 0
    for split in config.rows:
        for path in store.shard_paths(folder, config.name, split):
            footer = pq.read_metadata(path)
            groups = (footer.row_group(group) for group in range(footer.num_row_groups))
            in_memory[split] = in_memory.get(split, 0) + sum(group.total_byte_size for group in groups)
            on_disk += path.stat().st_size
    info = DatasetInfo(
        features=_features(folder, config.name),
        splits=SplitDict(
            {
                split: SplitInfo(split, num_bytes=in_memory[split], num_examples=rows)
                for split, rows in config.rows.items()
            }
        ),
        download_size=on_disk,
        dataset_size=sum(in_memory.values()),
    )
    return {key: value for key, value in info._to_yaml_dict().items() if value is not None}


def _features(folder: Path, name: str) -> Features:
    path = store.shard_paths(folder, name, store.table_splits(folder, name)[0])[0]
    return Features.from_arrow_schema(pq.read_schema(path))


def _type_in_words(feature) -> str:
    if hasattr(feature, "names"):
        return f"class label ({', '.join(f'{i} = {name}' for i, name in enumerate(feature.names))})"
    if hasattr(feature, "feature"):
        length = f" of {feature.length}" if feature.length >= 0 else ""
        return f"list{length} {_type_in_words(feature.feature)}"
    return feature.dtype


def _describe(name: str, shows: views.Config | None) -> str:
    question = candidates.parse_config(name)
    if question:
        which = f" Candidates of the draw {question.draw}." if question.draw else ""
        return (
            f"Prompts that ask which of the candidates comes next, with K = {question.history_length} behaviors.{which}"
        )
    if shows is None:
        kind = _kind(name)
        return (
            TABLES.get(kind, "") + (f" Variant {name.removeprefix(f'{kind}_')}." if kind != name else "")
            if kind
            else ""
        )
    what = "The positions of the behaviors shown" if name.startswith(views.TABLE) else "Prompts"
    style = f" in the style {shows.style}" if shows.style != POINTWISE else ""
    return f"{what}{style} with K = {shows.history_length}. {views.first_line(shows.view)}{_variant(shows)}"


def _variant(shows: views.Config) -> str:
    """What sets a view apart from the usual one of its name, as a sentence with a space before it, or nothing."""
    parts = [
        *([f"similarity {shows.similarity}"] if shows.similarity != views.SIMILARITIES[0] else []),
        *([f"vectors of {shows.vectors_table}"] if shows.vectors else []),
        *([f"the number is {shows.number}"] if shows.parameter is not None else []),
    ]
    return f" Here: {', '.join(parts)}." if parts else ""

"""Fill the card's template from the tables of a data set folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from rella_hub.cards.dataset import metadata, statistics
from rella_hub.cards.dataset.heterogeneity import heterogeneity
from rella_hub.cards.dataset.metadata import Config
from rella_hub.cards.templates import fill
from rella_hub.corpora import Corpus
from rella_hub.tables import candidates, store
from rella_hub.tasks import load_protocol, next_item_of
from rella_hub.texts.shown import as_code
from rella_hub.views import TABLE, VECTORS, load_view, parse_config, shown_in_words

TEMPLATE = "dataset.md.jinja"


def render(
    folder: Path, corpus: Corpus, names: list[str], repository: str | None = None, permission: str | None = None
) -> str:
    """The README.md of `folder`, showing the tables `names`: the same text for the same tables.

    repository: its Hub id where that is not the usual one; permission: that of the publisher to redistribute, in the user's words.
    """
    configs = metadata.configs(folder, names)
    counts = statistics.corpus_statistics(folder)
    samples = sum(split.samples for split in counts.splits)
    prompts = [config for config in configs if config.holds_prompts]
    made_from = store.provenance(folder, "interactions")
    vectors = [_described(folder, config.name) for config in configs if config.name.startswith(VECTORS)]
    count_tokens = _token_counter(folder, vectors[0]) if prompts and vectors else None
    return fill(
        TEMPLATE,
        metadata=metadata.card_metadata(folder, corpus, configs, samples),
        pretty_name=metadata.pretty_name(corpus),
        corpus=corpus,
        samples=samples,
        counts=counts,
        repository=repository or f"rella/{folder.resolve().name}",
        permission=permission,
        has_profile=_has_profile(folder, corpus),
        made_from=made_from,
        has_labels=store.has_labels(folder),
        asks_next=next_item_of(made_from["rules"]["protocol"]),
        drawn=store.provenance(folder, candidates.TABLE) if candidates.TABLE in names else None,
        protocol=load_protocol(made_from["rules"]["protocol"]),
        published=_published(prompts, {split.name: split.samples for split in counts.splits}),
        configs=configs,
        columns={config.name: metadata.columns(folder, config.name) for config in configs},
        prompts=prompts,
        shown=_shown(corpus, configs),
        mixed={config.shows.view: config.rows_per_sample for config in prompts if config.rows_per_sample > 1},
        default=metadata.default_config(configs),
        vectors=vectors[0] if vectors else None,
        all_vectors=vectors,
        similarities=_similarities(folder, names),
        styles=_styles(folder, prompts),
        sampled_prompts=statistics.SAMPLED_PROMPTS,
        quantiles=[f"{q:.0%}" for q in statistics.QUANTILES],
        tokens=_tokens(folder, prompts, count_tokens) if count_tokens else None,
        heterogeneity=_heterogeneity(folder, corpus, names),
        examples=_examples(folder, prompts),
    )


def _has_profile(folder: Path, corpus: Corpus) -> bool:
    users = pl.from_arrow(store.read_rows(folder, "users", 0, 1))
    return bool(len(users)) and corpus.words.profile(users)[0] != ""


def _published(prompts: list[Config], samples: dict[str, int]) -> dict[str, int]:
    """Rows of each split, where prompts hold fewer than there are samples; the most that any config holds."""
    most: dict[str, int] = {}
    for config in prompts:
        for split, rows in config.rows.items():
            name, per_sample = ("train", config.rows_per_sample) if split == "mixed" else (split, 1)
            most[name] = max(most.get(name, 0), rows // per_sample)
    return {split: most[split] for split in samples if split in most} if any(most[s] < samples[s] for s in most) else {}


def _token_counter(folder: Path, vectors: dict) -> Callable[[list[str]], list[int]] | None:
    """Counts tokens as the encoder of the item vectors reads a prompt; None where its tokenizer is not here.

    The record that names the encoder may be of somebody else, so nothing is downloaded for it and no folder is read that it names.
    """
    from rella_hub.hub.models import is_cached
    from rella_hub.vectors.encoders import PACKAGED, token_counter

    revision, note = vectors["revision"], folder / store.ENCODER_FOLDER
    encoder = note.read_text(encoding="utf-8") if note.is_file() else vectors["encoder"]
    if not (note.is_file() or encoder in PACKAGED or is_cached(encoder, revision)):
        return None
    try:
        return token_counter(encoder, None if revision.startswith("sha256:") else revision)
    except ValueError:
        return None


def _described(folder: Path, name: str) -> dict:
    record = store.provenance(folder, name)
    return {
        "name": name,
        "encoder": record["encoder"],
        "revision": record["encoder_revision"],
        "dimension": metadata.vector_dimension(folder, name),
    }


def _shown(corpus: Corpus, configs: list[Config]) -> dict[str, str]:
    """view, with its number -> how it shows a sample."""
    shows = [config.shows for config in configs if config.shows]
    return {
        f"{one.view}{'' if one.parameter is None else one.parameter}": shown_in_words(one.name, corpus.words)
        for one in sorted(shows, key=lambda one: one.name)
    }


def _similarities(folder: Path, names: list[str]) -> list[str]:
    records = (store.provenance(folder, name) for name in names if name.startswith(TABLE))
    return sorted({record["similarity"] for record in records if "similarity" in record})


def _styles(folder: Path, prompts: list[Config]) -> list[str]:
    records = (store.provenance(folder, config.name) for config in prompts)
    return sorted({f"{as_code(record['prompt_style'])}, version {record['prompt_version']}" for record in records})


def _examples(folder: Path, prompts: list[Config]) -> list[tuple[tuple[str, str], list[str]]]:
    """Prompt and completion of the first test row, each with the configs in which it stands."""
    found: dict[tuple[str, str], list[str]] = {}
    for config in prompts:
        for batch in store.iterate(folder, config.name, "test", 1, ["prompt", "completion"]):
            found.setdefault((batch["prompt"][0].as_py(), batch["completion"][0].as_py()), []).append(config.name)
            break
    return list(found.items())


def _tokens(folder: Path, prompts: list[Config], count_tokens: Callable) -> dict[tuple[str, str], list[int]]:
    return {
        (config.name, split): statistics.token_quantiles(folder, config.name, split, count_tokens)
        for config in prompts
        for split in config.rows
        if split != "validation"
    }


def _heterogeneity(folder: Path, corpus: Corpus, names: list[str]) -> dict[str, dict[int, float]]:
    """view -> K -> mean number of distinct groups. Mixed views are left out: their test split is another view's."""
    shows = {name: parse_config(name) for name in names if name.startswith(TABLE)}
    views = {name: one for name, one in shows.items() if one and not load_view(one.view).mixes}
    found: dict[str, dict[int, float]] = {}
    for name, value in heterogeneity(folder, list(views), corpus.group_field).items():
        length = views[name].history_length
        found.setdefault(name.removeprefix(TABLE).removesuffix(f"_k{length}"), {})[length] = value
    return {view: dict(sorted(by_length.items())) for view, by_length in sorted(found.items())}

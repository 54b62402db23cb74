"""Fill the card's template from the tables of a data set folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jinja2
import polars as pl

from rella_hub.cards.dataset import metadata, statistics
from rella_hub.cards.dataset.heterogeneity import heterogeneity
from rella_hub.cards.dataset.metadata import Config
from rella_hub.corpora import Corpus
from rella_hub.resources import resources
from rella_hub.tables import store
from rella_hub.tasks import load_protocol
from rella_hub.texts.shown import FILTERS, as_code
from rella_hub.views import view_of

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
    vectors = store.provenance(folder, "item_vectors") if "item_vectors" in names else None
    count_tokens = _token_counter(folder, vectors) if prompts and vectors else None
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resources("model_cards/templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters |= {"percent": "{:.1%}".format, "count": "{:,}".format, "cell": cell} | FILTERS
    return environment.get_template(TEMPLATE).render(
        metadata=metadata.card_metadata(folder, corpus, configs, samples),
        pretty_name=metadata.pretty_name(corpus),
        corpus=corpus,
        samples=samples,
        counts=counts,
        repository=repository or f"rella/{folder.resolve().name}",
        permission=permission,
        has_profile=_has_profile(folder, corpus),
        made_from=store.provenance(folder, "interactions"),
        protocol=load_protocol(corpus.protocol),
        published=_published(prompts, {split.name: split.samples for split in counts.splits}),
        configs=configs,
        columns={config.name: metadata.columns(folder, config.name) for config in configs},
        prompts=prompts,
        default=metadata.default_config(configs),
        vectors=vectors and _described(folder, vectors),
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
    of_training = {"mixed": ("train", 2)}
    most: dict[str, int] = {}
    for config in prompts:
        for split, rows in config.rows.items():
            name, per_sample = of_training.get(split, (split, 1))
            most[name] = max(most.get(name, 0), rows // per_sample)
    return {split: most[split] for split in samples if split in most} if any(most[s] < samples[s] for s in most) else {}


def cell(text: str) -> str:
    """`text` as a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")


def _token_counter(folder: Path, vectors: dict) -> Callable[[list[str]], list[int]] | None:
    """Counts tokens as the encoder of the item vectors reads a prompt; None where its tokenizer is not here.

    The record that names the encoder may be of somebody else, so nothing is downloaded for it and no folder is read that it names.
    """
    from rella_hub.hub.models import is_cached
    from rella_hub.vectors.encode import PACKAGED, load_tokenizer

    revision, note = vectors["encoder_revision"], folder / store.ENCODER_FOLDER
    encoder = note.read_text(encoding="utf-8") if note.is_file() else vectors["encoder"]
    if not (note.is_file() or encoder in PACKAGED or is_cached(encoder, revision)):
        return None
    try:
        tokenizer = load_tokenizer(encoder, None if revision.startswith("sha256:") else revision)
    except ValueError:
        return None
    tokenizer.model_max_length = 10**9  # the lengths are wanted, not a warning that they exceed the encoder's context
    return lambda prompts: [len(ids) for ids in tokenizer(prompts)["input_ids"]]


def _described(folder: Path, vectors: dict) -> dict:
    return {
        "encoder": vectors["encoder"],
        "revision": vectors["encoder_revision"],
        "dimension": metadata.vector_dimension(folder),
    }


def _similarities(folder: Path, names: list[str]) -> list[str]:
    records = (store.provenance(folder, name) for name in names if name.startswith("view_"))
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
    """view -> K -> mean number of distinct groups. ReiT is left out: its test split is SUBR's."""
    views = {name: view_of(name) for name in names if name.startswith("view_")}
    views = {name: view for name, view in views.items() if view[0] not in (None, "reit")}
    found: dict[str, dict[int, float]] = {}
    for name, value in heterogeneity(folder, list(views), corpus.group_field).items():
        view, history_length = views[name]
        found.setdefault(view, {})[history_length] = value
    return {view: dict(sorted(by_length.items())) for view, by_length in sorted(found.items())}

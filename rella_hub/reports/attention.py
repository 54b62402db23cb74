"""What several systems on one base look at when they answer for one sample: from the data set to a table, JSON and a figure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from rella_hub.corpora import load_corpus
from rella_hub.hub import resolve as hub
from rella_hub.language_models.attention import answering, shares, tokens_of
from rella_hub.language_models.load import load_tokenizer
from rella_hub.prompts import load_style, prompt_with_places, style_of
from rella_hub.reports.folder import ReportFolder
from rella_hub.systems import part
from rella_hub.systems.choice import BY_BASE, load_several
from rella_hub.tables import store
from rella_hub.texts.markdown import table as markdown_table
from rella_hub.texts.shown import in_markdown
from rella_hub.views import table_name

FILES = ("attention.md", "attention.json", "attention.png")
REST = "the rest of the prompt"


@dataclass(frozen=True)
class Prompt:
    """The prompt of the sample by one config."""

    config_name: str
    text: str
    places: list[tuple[int, int]]  # of the behaviors in it
    titles: list[str]
    ratings: list[float]


@dataclass(frozen=True)
class Looked:
    """What each system looked at in one prompt."""

    config_name: str
    titles: list[str]
    ratings: list[float]
    shares: dict[str, list[float]]  # system → of each behavior
    rest: dict[str, float]
    p_yes: dict[str, float]


@dataclass(frozen=True)
class Sample:
    sample_id: int
    split: str
    user_id: int
    position: int
    item_id: int
    label: int

    @property
    def first(self) -> int:
        """The row of the user's first interaction."""
        return self.sample_id - self.position


def show(options, of_base) -> None:
    """Write the folder of evaluation/attention.py."""
    from rella_hub.reports.attention_figure import draw

    names = list(dict.fromkeys(options.config_names))
    tables = ["samples", "interactions", "users", "items", *map(table_name, names)]
    folder = hub.resolve(options.dataset, tables, options.dataset_revision)
    report = ReportFolder(Path(options.output), options.overwrite, [folder, of_base.base, *options.adapters])
    sample = find_sample(folder, options.sample_id)
    prompts = [read_prompt(folder, sample, name) for name in names]
    looked = look(prompts, load_several(of_base, options.adapters, options.adapter_revisions, []))
    title = target_title(folder, sample)
    with report.writing(*FILES) as write:
        text = as_markdown(sample, title, looked)
        write(FILES[0], text)
        write(
            FILES[1], json.dumps({**asdict(sample), "target": title, "prompts": [asdict(o) for o in looked]}, indent=2)
        )
        write(FILES[2], lambda path: draw(looked, title, sample.label, path))
    print(text)


def find_sample(folder: Path, sample_id: int) -> Sample:
    """ValueError where no split has it."""
    for split in store.table_splits(folder, "samples"):
        found = pc.index(store.read(folder, "samples", split, ["sample_id"])["sample_id"], sample_id).as_py()
        if found >= 0:
            row = store.read_rows(folder, "samples", found, found + 1, split).to_pylist()[0]
            return Sample(sample_id, split, *(int(row[name]) for name in ("user_id", "position", "item_id", "label")))
    raise ValueError(
        f"{folder} has no sample {sample_id}. Score files and the table `samples` have the numbers of samples."
    )


def read_prompt(folder: Path, sample: Sample, config_name: str) -> Prompt:
    """The prompt of a sample, with the places of what it shows. ValueError where the view does not show this sample."""
    corpus = load_corpus(store.made_from(folder, "samples")["corpus"])
    positions = _row_of(folder, table_name(config_name), sample)["positions"].to_pylist()[0]
    interactions = store.read_rows(folder, "interactions", sample.first, sample.sample_id + 1).take(pa.array(positions))
    shown = interactions.to_pylist()
    items = {
        row["item_id"]: row for row in _rows(folder, "items", {*interactions["item_id"].to_pylist(), sample.item_id})
    }
    (user,) = _rows(folder, "users", {sample.user_id})
    behaviors = [(items[one["item_id"]], float(one["rating"]), one["label"] == 1) for one in shown]
    text, places = prompt_with_places(corpus.words, user, behaviors, items[sample.item_id], style_of(config_name))
    if store.table_splits(folder, config_name):
        stored = _row_of(folder, config_name, sample)["prompt"].to_pylist()[0]
        if stored != text:
            raise ValueError(
                f"The prompt of sample {sample.sample_id} in {folder / config_name} is not the one that its style writes now. Build it "
                "again."
            )
    titles = corpus.words.title(pl.DataFrame([item for item, _, _ in behaviors])).to_list() if behaviors else []
    return Prompt(config_name, text, places, titles, [rating for _, rating, _ in behaviors])


def look(prompts: list[Prompt], system) -> list[Looked]:
    """What each system of a base looks at in each prompt."""
    found = []
    tokenizer = load_tokenizer(system.options.base, system.options.base_revision)
    for prompt in prompts:
        answers = load_style(style_of(prompt.config_name)).ANSWERS
        _, tokens = part(BY_BASE, "prompts").PromptReader(system.options, system.adapters, answers).read([prompt.text])
        system.prepare(Path(), prompt.config_name, "")
        system.scores_of(
            pa.table({"prompt": [prompt.text]}), [0]
        )  # loads the base and the adapters, and sees that they can be scored
        asked = prompt.text, prompt.places, system.options.max_length, system.options.chat_template_kwargs
        ids, parts = tokens_of(tokenizer, *asked)
        of_parts, rest, p_yes = {}, {}, {}
        for member, become in zip(system.members, system.switches(list(range(len(system.members)))), strict=True):
            become()
            answer = answering(system.model, ids, tokens)
            of_parts[member.name] = shares(answer.attention, parts).tolist()
            rest[member.name] = 1 - sum(of_parts[member.name])
            p_yes[member.name] = answer.p_yes
        found.append(Looked(prompt.config_name, prompt.titles, prompt.ratings, of_parts, rest, p_yes))
    return found


def as_markdown(sample: Sample, title: str, looked: list[Looked]) -> str:
    said = (
        f"User {sample.user_id} ({sample.split}) {'liked' if sample.label else 'did not like'} {in_markdown(title)}. In % of the last "
        "layer's attention from the answer's position, the mean over its heads."
    )
    lines = [
        f"# What the answer looks at: sample {sample.sample_id}",
        "",
        said,
    ]
    for one in looked:
        systems = list(one.shares)
        rows = [
            [
                str(number),
                in_markdown(name),
                f"{rating:g}",
                *(_percent(one.shares[system][number]) for system in systems),
            ]
            for number, (name, rating) in enumerate(zip(one.titles, one.ratings, strict=True))
        ]
        rows.append(["", REST, "", *(_percent(one.rest[system]) for system in systems)])
        rows.append(["", "P(Yes)", "", *(f"{one.p_yes[system]:.4f}" for system in systems)])
        heads = ("", "behavior", "rating", *map(in_markdown, systems))
        lines += ["", f"## {in_markdown(one.config_name)}", "", markdown_table(heads, rows, 2)]
    return "\n".join(lines) + "\n"


def target_title(folder: Path, sample: Sample) -> str:
    words = load_corpus(store.made_from(folder, "samples")["corpus"]).words
    return words.title(pl.DataFrame(_rows(folder, "items", {sample.item_id}))).to_list()[0]


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _row_of(folder: Path, name: str, sample: Sample) -> pa.Table:
    """The row of a table that is of this sample."""
    splits = store.table_splits(folder, name)
    if sample.split not in splits:
        raise ValueError(
            f"{folder / name} has the splits {', '.join(splits)}, and sample {sample.sample_id} is of {sample.split}."
        )
    ids = store.read(folder, name, sample.split, ["sample_id"])["sample_id"]
    number = pc.index(ids, pa.scalar(sample.sample_id, ids.type)).as_py()
    if number < 0:
        raise ValueError(
            f"{folder / name} does not show sample {sample.sample_id}: it has a choice of the samples of {sample.split}."
        )
    return store.read_rows(folder, name, number, number + 1, sample.split)


def _rows(folder: Path, name: str, ids: set) -> list[dict]:
    """The rows of users or items with these ids, which are looked for without the rest being held."""
    table = store.read(folder, name)
    key = f"{name[:-1]}_id"
    # pyarrow makes the functions of `compute` when it is imported
    wanted = pc.is_in(table[key], pa.array(sorted(ids), table[key].type))  # ty: ignore[missing-attribute]
    return table.filter(wanted).to_pylist()

"""Amazon Video Games: half a million reviews of games, consoles and accessories by 55,000 users, 1999 to 2018, five or more of each.

Source: J. Ni, J. Li and J. McAuley, "Justifying Recommendations using Distantly-Labeled Reviews and Fine-Grained Aspects", EMNLP 2019,
the 5-core of the category and its products. SLIM (arXiv 2403.04260) asks which product of 101 comes next; a product is its title, its
category and its brand. Which version of the reviews SLIM took it does not say.
"""

from __future__ import annotations

from functools import partial

import polars as pl

from rella_hub.corpora import Corpus, Divergence, Reexport, Words
from rella_hub.corpora.raw.amazon import read_passed_on, read_published
from rella_hub.corpora.raw.archive import Archive
from rella_hub.texts.readable import readable

PUBLISHED = "https://mcauleylab.ucsd.edu/public_datasets/data/amazon_v2"
DESCRIBED = {"title": "title", "category": "category", "brand": "brand"}  # field in words -> column, in SLIM's order
UNTITLED = "untitled"


def profile(users: pl.DataFrame) -> pl.Series:
    return pl.repeat("", len(users), eager=True)


def subject(users: pl.DataFrame) -> pl.Series:
    return pl.repeat("the user", len(users), eager=True)


def title(items: pl.DataFrame) -> pl.Series:
    return readable(items["title"]).replace("", UNTITLED)


def description(items: pl.DataFrame) -> pl.Series:
    """A sentence for each field that is known; of a product without any, that nothing is known."""
    texts = items.select(readable(items[column]) for column in DESCRIBED.values())
    sentences = [
        pl.when(pl.col(column) != "").then(f"The {field} of the product is " + pl.col(column) + ".")
        for field, column in DESCRIBED.items()
    ]
    whole = pl.concat_str(sentences, separator=" ", ignore_nulls=True)
    return texts.select(
        pl.when(whole == "").then(pl.lit("Nothing is known of the product.")).otherwise(whole)
    ).to_series()


def published(category: str) -> Archive:
    """The two files of a category; their publisher gives no checksum."""
    reviews, products = f"categoryFilesSmall/{category}_5.json.gz", f"metaFiles2/meta_{category}.json.gz"
    return Archive(f"{PUBLISHED}/{reviews}", md5=None, sha256=None, size=None, beside=(f"{PUBLISHED}/{products}",))


def files(category: str) -> list[str]:
    return [f"{category}_5.json.gz", f"meta_{category}.json.gz"]


def passed_on(source: str, *limits: str, order_only: bool = False) -> Reexport:
    """The second layout: tables that a research group made of the reviews."""
    interactions = "sequences.csv" if order_only else "interactions.csv"
    return Reexport(
        source=source,
        files=["items.csv", interactions],
        read=partial(read_passed_on, interactions=interactions),
        limits=limits,
    )


CORPUS = Corpus(
    id="amazon_games",
    name="Amazon Video Games",
    summary="Reviews of video games, consoles and accessories on Amazon; a review counts as an interaction, whatever its stars.",
    licence="other",
    terms="For research; the publisher asks to be cited and states no licence.",
    terms_url="https://cseweb.ucsd.edu/~jmcauley/datasets/amazon_v2/",
    may_be_redistributed=False,
    citation=(
        "@inproceedings{ni2019justifying,\n  title={Justifying Recommendations using Distantly-Labeled Reviews and Fine-Grained Aspects},\n"
        "  author={Ni, Jianmo and Li, Jiacheng and McAuley, Julian},\n  booktitle={Proceedings of EMNLP-IJCNLP},\n"
        "  pages={188--197},\n  year={2019},\n  doi={10.18653/v1/D19-1018}\n}"
    ),
    archive=published("Video_Games"),
    generate=None,
    files=files("Video_Games"),
    read=partial(read_published, reviews=files("Video_Games")[0], products=files("Video_Games")[1]),
    reexport=passed_on(
        "interactions.csv and items.csv of the 2018 reviews, 5-core, as a research group passes them on",
        "The tables name a product's title and nothing else of it: neither its brand nor its category is known.",
        "Times are days; the order within a day is that of the file.",
    ),
    tasks=("leave_one_out",),
    label_threshold=None,
    minimum_history=1,
    rating_range=None,
    group_field="brand",
    features=("user_id", "item_id"),
    unrated_items_count=False,
    words=Words(
        profile=profile, subject=subject, title=title, description=description, item="product", consumed="bought"
    ),
    expected_rows={},
    limits=(
        "A user who reviewed a product twice counts once, at the earlier time.",
        "A product that nobody reviewed is left out: it could only be a negative that nobody could have chosen.",
    ),
    divergences=(
        Divergence(
            what="version of the reviews",
            paper="not stated, nor the filter, the dates and the counts",
            released="SLIM has no code",
            ours="the 5-core of 2018, as published",
            why="it is the newest whose files are the two that SLIM's fields come from; its figures cannot be held against ours one by one",
        ),
    ),
)

"""Steam: 7.8 million reviews of games by 2.6 million users of the shop Steam, October 2010 to January 2018.

Source: W.-C. Kang and J. McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018, who collected the reviews. LLaRA (arXiv
2312.02445) keeps games with 20 reviews or more and a random third of the users and of the games; its seed is not stated.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import numpy as np
import polars as pl

from rella_hub.corpora import UNKNOWN, Corpus, Divergence, RawTables, Reexport, Words
from rella_hub.corpora.raw.archive import Archive, RawFiles
from rella_hub.corpora.raw.comma import read_comma_separated
from rella_hub.corpora.raw.delimited import read_delimited, require
from rella_hub.corpora.raw.json_lines import whole_lines
from rella_hub.texts.readable import readable

REVIEWS, GAMES = "steam_reviews.json.gz", "steam_games.json.gz"
FEWEST_REVIEWS = 20  # of a game
SHARE = 3  # one user of three, one game of three
SEED = 0
NEVER = 4_102_444_800  # the year 2100
PASSED_ON = ["items.csv", "interactions.csv"]
REPEATED = "reviews of a game that the user had reviewed before"


def read(raw: RawFiles) -> RawTables:
    """The published files: a line holds an object as Python writes it. ValueError with file and line for what does not fit."""
    rows = _objects(raw, REVIEWS, {"username": str, "product_id": str, "date": str})
    reviews = pl.DataFrame(rows, schema=dict.fromkeys(("user", "game", "date"), pl.String), orient="row")
    reviews = reviews.with_row_index("line", 1)
    day = reviews["date"].str.to_date("%Y-%m-%d", strict=False)
    require(day.is_not_null(), reviews, REVIEWS, "date is {date!r}, expected one such as 2017-12-30")
    reviews = reviews.with_columns(timestamp=day.cast(pl.Datetime("ms")).dt.epoch("s"))
    often = reviews.filter(pl.len().over("game") >= FEWEST_REVIEWS)
    kept = _third(_third(often, "user"), "game")
    titles = pl.DataFrame(
        list(_objects(raw, GAMES, {"id": str}, optional="app_name")),
        schema={"game": pl.String, "title": pl.String},
        orient="row",
    )
    users, games = (kept.select(pl.col(key).unique(maintain_order=True)) for key in ("user", "game"))
    users, games = users.with_row_index("user_id", 1), games.with_row_index("item_id", 1)
    games = games.join(titles.unique("game", keep="first"), on="game", how="left", maintain_order="left")
    tables = kept.join(users, on="user", maintain_order="left").join(games, on="game", maintain_order="left")
    return _tables(
        users.select(pl.col("user_id").cast(pl.Int32)),
        games.select(pl.col("item_id").cast(pl.Int32), pl.col("title").fill_null("")),
        tables,
        {
            f"reviews of games with fewer than {FEWEST_REVIEWS}": len(reviews) - len(often),
            "reviews by the other two thirds of the users, or of games": len(often) - len(kept),
        },
    )


def read_passed_on(raw: RawFiles) -> RawTables:
    """`items.csv` and `interactions.csv` of a sample of users."""
    items = read_comma_separated(raw, PASSED_ON[0], {"item_id": pl.Int32, "title": pl.String}, ["item_id", "title"])
    require(items["item_id"].is_first_distinct(), items, PASSED_ON[0], "item {item_id} stands there already")
    numbers = {"user_id": pl.Int32, "item_id": pl.Int32, "timestamp": pl.Int64}
    rows = read_delimited(raw, PASSED_ON[1], ",", numbers, "utf-8", list(numbers))
    require(rows["item_id"].is_in(items["item_id"].implode()), rows, PASSED_ON[1], "item {item_id} is not in items.csv")
    possible = rows["timestamp"].is_between(0, NEVER - 1)
    require(possible, rows, PASSED_ON[1], "timestamp is {timestamp}, expected seconds since 1970, before the year 2100")
    return _tables(rows.select("user_id").unique().sort("user_id"), items.select("item_id", "title"), rows, {})


def _tables(users: pl.DataFrame, items: pl.DataFrame, rows: pl.DataFrame, dropped: dict[str, int]) -> RawTables:
    """The tables as every corpus has them; of several reviews of one game by one user the first counts."""
    in_time = rows.sort("timestamp", maintain_order=True)
    once = in_time.unique(["user_id", "item_id"], keep="first", maintain_order=True).sort("line")
    dropped = dropped | {REPEATED: len(rows) - len(once)}
    return RawTables(
        users=users,
        items=items,
        interactions=once.select(
            pl.col("user_id").cast(pl.Int32),
            pl.col("item_id").cast(pl.Int32),
            pl.lit(None, dtype=pl.Float32).alias("rating"),
            "timestamp",
        ),
        dropped={what: count for what, count in dropped.items() if count},
    )


def _objects(raw: RawFiles, name: str, fields: dict[str, type], optional: str | None = None) -> Iterator[tuple]:
    """The values of `fields` of each line's object, and of `optional` where it has one."""
    line = 0
    for block in whole_lines(raw, name):
        for text in block.decode("utf-8", "replace").split("\n")[:-1]:
            line += 1
            try:
                found = ast.literal_eval(text)
                values = tuple(found.get(field) for field in fields)
            except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
                raise ValueError(
                    f"{name}, line {line}: no object such as {{u'id': u'1'}} ({type(error).__name__}). Got: {text[:80]!r}."
                ) from error
            for value, (field, kind) in zip(values, fields.items(), strict=True):
                if optional is None and not isinstance(value, kind):
                    raise ValueError(f"{name}, line {line}: {field} is {str(value)[:40]!r}, expected a text.")
            if optional is None:
                yield values
            elif isinstance(values[0], str):
                yield *values, found.get(optional)


def _third(reviews: pl.DataFrame, key: str) -> pl.DataFrame:
    """The reviews of a random third of the users or games, drawn from them in sorted order."""
    known = reviews[key].unique().sort()
    drawn = np.random.default_rng(SEED).permutation(len(known))[: len(known) // SHARE]
    return reviews.filter(pl.col(key).is_in(known[np.sort(drawn)].implode()))


def title(items: pl.DataFrame) -> pl.Series:
    named = readable(items["title"])
    return named.set(named == "", UNKNOWN)


CORPUS = Corpus(
    id="steam",
    name="Steam",
    summary="A review counts as an interaction, whatever it says.",
    licence="other",
    terms="For research; the publisher asks to be cited and states no licence.",
    terms_url="https://cseweb.ucsd.edu/~jmcauley/datasets.html#steam_data",
    may_be_redistributed=False,
    citation=(
        "@inproceedings{kang2018self,\n  title={Self-Attentive Sequential Recommendation},\n"
        "  author={Kang, Wang-Cheng and McAuley, Julian},\n  booktitle={Proceedings of ICDM},\n  year={2018}\n}"
    ),
    archive=Archive(
        url="https://cseweb.ucsd.edu/~wckang/steam_reviews.json.gz",
        md5=None,
        sha256=None,
        size=None,
        beside=("https://cseweb.ucsd.edu/~wckang/steam_games.json.gz",),
    ),
    generate=None,
    files=[REVIEWS, GAMES],
    read=read,
    reexport=Reexport(
        source="interactions.csv and items.csv of a sample of users with five or more reviews, as a research group passes them on",
        files=PASSED_ON,
        read=read_passed_on,
        limits=(
            "It is another sample of users and games than LLaRA's, with other ids, close to it in size: figures are not LLaRA's.",
            "Times are days; the order within a day is that of the file.",
        ),
    ),
    tasks=("next_item",),
    label_threshold=None,
    minimum_history=3,
    rating_range=None,
    group_field="title",
    features=("user_id", "item_id", "title"),
    unrated_items_count=False,
    words=Words(
        profile=lambda users: pl.repeat("", len(users), eager=True),
        subject=lambda users: pl.repeat("the user", len(users), eager=True),
        title=title,
        description=lambda items: "The title of the game is " + title(items) + ".",
        item="game",
        consumed="played",
    ),
    expected_rows={},
    divergences=(
        Divergence(
            what="the sample",
            paper="games with 20 reviews or more, a random third of the users and of the games; 11,938 users, 3,581 games",
            released="the split; its seed is not known",
            ours=f"the same rule on the official files, drawn with the seed {SEED}",
            why="the users behind the published rows cannot be told",
        ),
    ),
)

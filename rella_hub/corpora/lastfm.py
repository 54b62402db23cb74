"""LastFM: which artists 1,892 users of Last.fm tagged, and when; released at HetRec 2011.

Source: I. Cantador, P. Brusilovsky and T. Kuflik, "2nd Workshop on Information Heterogeneity and Fusion in Recommender Systems (HetRec
2011)", RecSys 2011. LLaRA (arXiv 2312.02445) asks which artist of twenty comes next; how it cleaned the data is not stated, and its split
is published.
"""

from __future__ import annotations

from functools import partial

import polars as pl

from rella_hub.corpora import UNKNOWN, Corpus, Divergence, RawTables, Reexport, Words
from rella_hub.corpora.raw import llara
from rella_hub.corpora.raw.archive import Archive, RawFiles
from rella_hub.corpora.raw.delimited import read_delimited, require

ARTISTS, TAGGED = "artists.dat", "user_taggedartists-timestamps.dat"
FOUNDED = 1_009_843_200  # 2002, the year in which Last.fm began: seconds
NEVER = 4_102_444_800  # the year 2100


def read(raw: RawFiles) -> RawTables:
    """Read `artists.dat` and the taggings: a user has an artist from the first tag on. ValueError with file and line otherwise."""
    texts = {"item_id": pl.Int32, "title": pl.String, "url": pl.String, "picture": pl.String}
    items = read_delimited(raw, ARTISTS, "\t", texts, "utf-8", ["id", "name", "url", "pictureURL"])
    require(items["item_id"] > 0, items, ARTISTS, "id is {item_id}, expected a number from 1")
    require(items["item_id"].is_first_distinct(), items, ARTISTS, "artist {item_id} stands there already")
    header = ["userID", "artistID", "tagID", "timestamp"]
    numbers = {"user_id": pl.Int32, "item_id": pl.Int32, "tag": pl.Int32, "milliseconds": pl.Int64}
    tags = read_delimited(raw, TAGGED, "\t", numbers, "utf-8", header)
    require(tags["user_id"] > 0, tags, TAGGED, "userID is {user_id}, expected a number from 1")
    possible = tags["milliseconds"] < 1000 * NEVER
    require(possible, tags, TAGGED, "timestamp is {milliseconds}, expected milliseconds, before the year 2100")
    known = tags.filter(pl.col("item_id").is_in(items["item_id"].implode()))
    first = (
        known.sort("milliseconds", maintain_order=True)
        .unique(["user_id", "item_id"], keep="first", maintain_order=True)
        .with_columns(timestamp=pl.col("milliseconds") // 1000)
    )
    counted = {
        "tags of artists that are not in artists.dat": len(tags) - len(known),
        "further tags that a user gave an artist": len(known) - len(first),
    }
    early = {"tags from before Last.fm was founded": int((first["timestamp"] < FOUNDED).sum())}
    return RawTables(
        users=first.select(pl.col("user_id").unique().sort()),
        items=items.select("item_id", "title"),
        interactions=first.select("user_id", "item_id", pl.lit(None, dtype=pl.Float32).alias("rating"), "timestamp"),
        dropped={what: count for what, count in counted.items() if count},
        odd={what: count for what, count in early.items() if count},
    )


def title(items: pl.DataFrame) -> pl.Series:
    named = items["title"].str.replace_all(r"\s+", " ").str.strip_chars()
    return named.set(named == "", UNKNOWN)


def nothing(users: pl.DataFrame) -> pl.Series:
    return pl.repeat("", len(users), eager=True)


CORPUS = Corpus(
    id="lastfm",
    name="LastFM",
    summary="An artist counts from the user's first tag on.",
    licence="other",
    terms="Last.fm and HetRec 2011 allow non-commercial use with citation.",
    terms_url="https://files.grouplens.org/datasets/hetrec2011/hetrec2011-lastfm-readme.txt",
    may_be_redistributed=False,
    citation=(
        "@inproceedings{cantador2011hetrec,\n"
        "  title={2nd Workshop on Information Heterogeneity and Fusion in Recommender Systems},\n"
        "  author={Cantador, Iv{\\'a}n and Brusilovsky, Peter and Kuflik, Tsvi},\n"
        "  booktitle={Proceedings of RecSys 2011},\n  year={2011}\n}"
    ),
    archive=Archive(
        url="https://files.grouplens.org/datasets/hetrec2011/hetrec2011-lastfm-2k.zip", md5=None, sha256=None, size=None
    ),
    generate=None,
    files=[ARTISTS, TAGGED],
    read=read,
    reexport=Reexport(
        source="LLaRA's split of the corpus, as its line of work passes it on",
        files=llara.files("lastfm"),
        read=partial(llara.read, name="lastfm"),
        limits=(
            "Of a validation or test user no more than the last eleven artists is known, so candidates keep out only those.",
            "There are no times; the order is that of the files, and users stand in the order of the split.",
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
        profile=nothing,
        subject=lambda users: pl.repeat("the user", len(users), eager=True),
        title=title,
        description=lambda items: "The name of the artist is " + title(items) + ".",
        item="artist",
        consumed="listened to",
    ),
    expected_rows={},
    divergences=(
        Divergence(
            what="which interactions there are",
            paper="1,220 users, 4,606 artists, 73,510 interactions; the cleaning is not stated",
            released="the split alone, which holds fewer",
            ours="of the official archive every first tag of an artist by a user; of LLaRA's split what it holds",
            why="only the tags have times",
        ),
    ),
)

"""MovieLens-100K: 100,000 ratings (1 to 5 stars) of 1,682 movies by 943 users, September 1997 to April 1998.

Source: F. M. Harper and J. A. Konstan, "The MovieLens Datasets: History and Context", ACM TiiS 5(4), 2015; the README of the archive
describes the files. TALLRec (arXiv 2305.00447) asks for these ratings: label = rating > 3.
LLaRA (arXiv 2312.02445) asks which movie comes next among those rated 3 or more.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from rella_hub.corpora import UNKNOWN, Divergence, RawTables, ml1m
from rella_hub.corpora.raw.archive import Archive, RawFiles
from rella_hub.corpora.raw.delimited import read_delimited, require

GENRES = [  # in the order of their columns
    *(
        "unknown",
        "Action",
        "Adventure",
        "Animation",
        "Children's",
        "Comedy",
        "Crime",
        "Documentary",
        "Drama",
        "Fantasy",
    ),
    *("Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
]
NOT_SPECIFIED = ("other", "none")
OLDEST = 120  # years


def read(raw: RawFiles) -> RawTables:
    """Read `u.user`, `u.item` and `u.data`; ValueError with file and line for anything that does not fit."""
    users = read_delimited(
        raw,
        "u.user",
        "|",
        {"user_id": pl.Int32, "age": pl.Int32, "gender": pl.String, "occupation": pl.String, "zip_code": pl.String},
        "latin-1",
    )
    require(users["user_id"] > 0, users, "u.user", "user_id is {user_id}, expected a number from 1")
    require(users["user_id"].is_first_distinct(), users, "u.user", "user {user_id} stands there already")
    require(users["gender"].is_in(list(ml1m.GENDERS)), users, "u.user", "gender is {gender!r}, expected M or F")
    require(users["age"].is_between(1, OLDEST), users, "u.user", f"age is {{age}}, expected 1 to {OLDEST}")
    require(users["occupation"].str.strip_chars() != "", users, "u.user", "user {user_id} has no occupation")
    ml1m.require_printable(users, "u.user", "occupation", "zip_code")

    flags = dict.fromkeys(GENRES, pl.Int32)
    dates = {"released": pl.String, "video": pl.String, "address": pl.String}
    items = read_delimited(raw, "u.item", "|", {"item_id": pl.Int32, "title": pl.String, **dates, **flags}, "latin-1")
    for genre in GENRES:
        require(items[genre].is_in([0, 1]), items, "u.item", f"the flag of {genre} is {{{genre}}}, expected 0 or 1")
    items = items.with_columns(genres=_genres(items))
    require(items["genres"] != "", items, "u.item", "movie {item_id} has no genre, not even `unknown`")
    ml1m.check_movies(items, "u.item")

    ratings = read_delimited(
        raw,
        "u.data",
        "\t",
        {"user_id": pl.Int32, "item_id": pl.Int32, "rating": pl.Int32, "timestamp": pl.Int64},
        "latin-1",
    )
    ml1m.check_ratings(ratings, "u.data", users, "u.user", items, "u.item")
    return RawTables(
        users=users.select(
            "user_id",
            pl.col("gender").replace_strict(ml1m.GENDERS),
            pl.col("age").cast(pl.String),
            pl.when(pl.col("occupation").is_in(NOT_SPECIFIED))
            .then(pl.lit(ml1m.OCCUPATIONS[0]))
            .otherwise("occupation")
            .alias("occupation"),
            "zip_code",
        ),
        items=items.select("item_id", "title", pl.col("genres").str.split("|").list.first().alias("genre"), "genres"),
        interactions=ratings.select("user_id", "item_id", pl.col("rating").cast(pl.Float32), "timestamp"),
        odd=ml1m.odd_times(ratings),
    )


def _genres(items: pl.DataFrame) -> pl.Series:
    """The names of the genres whose flag is set, with | between them, in the order of the columns."""
    named = [pl.when(pl.col(genre) == 1).then(pl.lit(UNKNOWN if genre == "unknown" else genre)) for genre in GENRES]
    return items.select(pl.concat_str(named, separator="|", ignore_nulls=True)).to_series()


# The same publisher, label, words and fields as MovieLens-1M.
CORPUS = replace(
    ml1m.CORPUS,
    id="ml100k",
    name="MovieLens-100K",
    summary="Whole stars from 1 to 5, from users of MovieLens with at least 20 ratings.",
    terms_url="https://files.grouplens.org/datasets/movielens/ml-100k-README.txt",
    archive=Archive(
        url="https://files.grouplens.org/datasets/movielens/ml-100k.zip",
        md5="0e33842e24a9c977be4e0107933c0723",
        sha256="50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
        size=4_924_029,
    ),
    files=["u.user", "u.item", "u.data"],
    read=read,
    tasks=("last_users", "next_item"),
    minimum_history=10,
    expected_rows={
        "users": 943,
        "items": 1_682,
        "interactions": 100_000,
        "samples": 10_000,
        "train": 8_000,
        "validation": 1_000,
        "test": 1_000,
    },
    expected_of_task={
        "next_item": {
            "users": 943,
            "items": 1_682,
            "interactions": 82_520,
            "samples": 66_316,
            "train": 66_127,
            "validation": 94,
            "test": 95,
        },
    },
    expected_bytes={"u.data": 1_979_173, "u.user": 22_628, "u.item": 236_344},
    divergences=(
        Divergence(
            what="a movie's genre",
            paper="not used: TALLRec shows titles alone",
            released="not used",
            ours="the first of its genres in the order of u.item's columns, which is alphabetical",
            why="the file has no main genre; the item vectors and the models of fields need one",
        ),
    ),
)

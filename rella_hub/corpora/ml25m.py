"""MovieLens-25M: 25,000,095 ratings (half a star to 5 stars) of 59,047 movies by 162,541 users, 1995 to 2019.

Source: F. M. Harper and J. A. Konstan, "The MovieLens Datasets: History and Context", ACM TiiS 5(4), 2015; the README of the
archive describes the files. ReLLa, section 4.1.1: label = rating > 3, so that three and a half stars are liked; a movie's genre is
its first one. Of the users nothing is known but their ratings.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from rella_hub.corpora import UNKNOWN, Corpus, Divergence, RawTables, ml1m
from rella_hub.corpora.raw.archive import Archive, RawFiles
from rella_hub.corpora.raw.comma import read_comma_separated
from rella_hub.corpora.raw.delimited import read_delimited, require, require_distinct_pairs

MOVIES, RATINGS = "movies.csv", "ratings.csv"
NO_GENRE = "(no genres listed)"


def read(raw: RawFiles) -> RawTables:
    """Read `movies.csv` and `ratings.csv`; ValueError with file and line for anything that does not fit."""
    items = read_comma_separated(
        raw, MOVIES, {"item_id": pl.Int32, "title": pl.String, "genres": pl.String}, ["movieId", "title", "genres"]
    )
    ml1m.check_movies(items, MOVIES)

    ratings = read_delimited(
        raw,
        RATINGS,
        ",",
        {"user_id": pl.Int32, "item_id": pl.Int32, "rating": pl.Float32, "timestamp": pl.Int64},
        "utf-8",
        header=["userId", "movieId", "rating", "timestamp"],
    )
    require(ratings["user_id"] > 0, ratings, RATINGS, "user_id is {user_id}, expected a number from 1")
    half_stars = ratings["rating"] * 2
    require(
        half_stars.is_between(1, 10) & (half_stars.floor() == half_stars),
        ratings,
        RATINGS,
        "rating is {rating}, expected 0.5 to 5 in half stars",
    )
    ml1m.check_times(ratings, RATINGS)
    require(
        ratings["item_id"].is_in(items["item_id"].implode()), ratings, RATINGS, "movie {item_id} is not in movies.csv"
    )
    require_distinct_pairs(ratings, "user_id", "item_id", RATINGS, "user {user_id} has rated movie {item_id} already")
    return RawTables(
        users=ratings.select(pl.col("user_id").unique().sort()),
        items=items.select(
            "item_id",
            "title",
            pl.col("genres").str.split("|").list.first().replace(NO_GENRE, UNKNOWN).alias("genre"),
            "genres",
        ),
        interactions=ratings.drop("line"),
        odd=ml1m.odd_times(ratings),
    )


def profile(users: pl.DataFrame) -> pl.Series:
    """Nothing: a prompt of this corpus begins with the history."""
    return pl.Series("profile", [""], dtype=pl.String).new_from_index(0, len(users))


def subject(users: pl.DataFrame) -> pl.Series:
    return pl.Series("subject", ["the user"]).new_from_index(0, len(users))


CORPUS: Corpus = replace(
    ml1m.CORPUS,
    id="ml25m",
    name="MovieLens-25M",
    summary="Half stars from 0.5 to 5, from users of MovieLens of whom nothing else is known.",
    terms_url="https://files.grouplens.org/datasets/movielens/ml-25m-README.html",
    archive=Archive(
        url="https://files.grouplens.org/datasets/movielens/ml-25m.zip",
        md5="6b51fb2759a8657d3bfcbfc42b592ada",
        sha256=None,
        size=261_978_986,
    ),
    files=[MOVIES, RATINGS],
    read=read,
    rating_range=(0.5, 5),
    features=("user_id", "item_id", "title", "genre"),
    words=replace(ml1m.WORDS, profile=profile, subject=subject),
    expected_rows={
        "users": 162_541,
        "interactions": 25_000_095,
        "samples": 24_187_390,
        "train": 19_349_912,
        "validation": 2_418_739,
        "test": 2_418_739,
    },
    expected_bytes={},
    rules_version=2,  # 2: a movie of which no genre is listed is of an unknown one
    published_rows={"train": 90_000, "validation": 10_000, "test": 70_000},
    divergences=(
        Divergence(
            what="published samples",
            paper="not stated; the <1% and <10% rows and the N experiments need at most 65,536 for training",
            released="90,000 of the training and 70,000 of the test samples, drawn with one seed; no validation",
            ours="90,000, 10,000 and 70,000 by default, seeded, each smaller choice inside every larger; all on request",
            why="24 million prompts would be tens of gigabytes that hardly anybody trains on",
        ),
        Divergence(
            what="number of samples in table 1",
            paper="25,000,095",
            released="24,187,390, after the first five ratings of each user are left out",
            ours="counted after that rule",
            why="25,000,095 is the number of ratings in the raw file; the other two corpora are counted after that rule",
        ),
        Divergence(
            what="movies without a genre",
            paper="not stated",
            released=f"the filler `{NO_GENRE}` is taken for a genre",
            ours="the genre is unknown: no sentence of the description, no group of the heterogeneity; `genres` keeps the filler",
            why="movies that have only the filler in common are not alike",
        ),
        Divergence(
            what="ids",
            paper="not stated",
            released="numbered anew in order of appearance, from 0",
            ours="as published",
            why="a table can be joined with anything else that speaks of these users and movies",
        ),
    ),
)

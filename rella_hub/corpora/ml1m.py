"""MovieLens-1M: 1,000,209 ratings (1 to 5 stars) of 3,706 movies by 6,040 users, 2000 to 2003.

Source: F. M. Harper and J. A. Konstan, "The MovieLens Datasets: History and Context", ACM TiiS 5(4), 2015; the README of
the archive gives the codes. ReLLa, section 4.1.1: label = rating > 3, a movie's genre is its first one.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

import polars as pl

from rella_hub.corpora import UNKNOWN, Corpus, Divergence, RawTables, Words
from rella_hub.corpora.raw.archive import Archive, RawFiles
from rella_hub.corpora.raw.delimited import read_delimited, require, require_distinct_pairs

# The bounds of the last groups as ReLLa prints them ("50-55", "above 56"), so that prompts agree with the paper's.
AGES = {1: "under 18", 18: "18-24", 25: "25-34", 35: "35-44", 45: "45-49", 50: "50-55", 56: "above 56"}
GENDERS = {"M": "male", "F": "female"}
OCCUPATIONS = [
    "other or not specified",
    "academic/educator",
    "artist",
    "clerical/admin",
    "college/grad student",
    "customer service",
    "doctor/health care",
    "executive/managerial",
    "farmer",
    "homemaker",
    "K-12 student",
    "lawyer",
    "programmer",
    "retired",
    "sales/marketing",
    "scientist",
    "self-employed",
    "technician/engineer",
    "tradesman/craftsman",
    "unemployed",
    "writer",
]
FIRST_YEAR, NEVER = 1990, 2100  # before the one there was no MovieLens; a time from the other on is no count of seconds
CONTROL = r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]"  # control characters but blanks and line ends


def read(raw: RawFiles) -> RawTables:
    """Read `users.dat`, `movies.dat` and `ratings.dat`; ValueError with file and line for anything that does not fit."""
    users = read_delimited(
        raw,
        "users.dat",
        "::",
        {"user_id": pl.Int32, "gender": pl.String, "age": pl.Int32, "occupation": pl.Int32, "zip_code": pl.String},
        "latin-1",
    )
    require(users["user_id"] > 0, users, "users.dat", "user_id is {user_id}, expected a number from 1")
    require(users["user_id"].is_first_distinct(), users, "users.dat", "user {user_id} stands there already")
    require(users["gender"].is_in(list(GENDERS)), users, "users.dat", "gender is {gender!r}, expected M or F")
    require(users["age"].is_in(list(AGES)), users, "users.dat", f"age code is {{age}}, expected one of {list(AGES)}")
    require(
        users["occupation"].is_between(0, 20), users, "users.dat", "occupation code is {occupation}, expected 0 to 20"
    )
    require_printable(users, "users.dat", "zip_code")

    items = read_delimited(
        raw, "movies.dat", "::", {"item_id": pl.Int32, "title": pl.String, "genres": pl.String}, "latin-1"
    )
    check_movies(items, "movies.dat")

    ratings = read_delimited(
        raw,
        "ratings.dat",
        "::",
        {"user_id": pl.Int32, "item_id": pl.Int32, "rating": pl.Int32, "timestamp": pl.Int64},
        "latin-1",
    )
    check_ratings(ratings, "ratings.dat", users, "users.dat", items, "movies.dat")
    return RawTables(
        users=users.select(
            "user_id",
            pl.col("gender").replace_strict(GENDERS),
            pl.col("age").replace_strict(AGES, return_dtype=pl.String),
            pl.col("occupation").replace_strict(dict(enumerate(OCCUPATIONS)), return_dtype=pl.String),
            "zip_code",
        ),
        items=items.select("item_id", "title", pl.col("genres").str.split("|").list.first().alias("genre"), "genres"),
        interactions=ratings.select("user_id", "item_id", pl.col("rating").cast(pl.Float32), "timestamp"),
        odd=odd_times(ratings),
    )


def check_movies(items: pl.DataFrame, name: str) -> None:
    """ValueError naming the first line that has no number, title or genre of its own."""
    require(items["item_id"] > 0, items, name, "item_id is {item_id}, expected a number from 1")
    require(items["item_id"].is_first_distinct(), items, name, "movie {item_id} stands there already")
    require(items["title"].str.strip_chars() != "", items, name, "movie {item_id} has no title")
    require(~items["title"].str.contains(r"[\r\n]"), items, name, "movie {item_id} has a title of several lines")
    require(items["genres"].str.contains(r"^\s*[^|\s]"), items, name, "movie {item_id} has no first genre")
    require_printable(items, name, "title", "genres")


def require_printable(table: pl.DataFrame, name: str, *columns: str) -> None:
    for column in columns:
        require(~table[column].str.contains(CONTROL), table, name, f"{column} {{{column}!r}} holds a control character")


def check_ratings(
    ratings: pl.DataFrame, name: str, users: pl.DataFrame, of_users: str, items: pl.DataFrame, of_items: str
) -> None:
    """ValueError naming the first line that is no whole star, at a possible time, of a known user for a known movie, once.

    name, of_users, of_items: the files of the three tables.
    """
    require(ratings["rating"].is_between(1, 5), ratings, name, "rating is {rating}, expected 1 to 5")
    check_times(ratings, name)
    known = ratings["user_id"].is_in(users["user_id"].implode())
    require(known, ratings, name, f"user {{user_id}} is not in {of_users}")
    known = ratings["item_id"].is_in(items["item_id"].implode())
    require(known, ratings, name, f"movie {{item_id}} is not in {of_items}")
    require_distinct_pairs(ratings, "user_id", "item_id", name, "user {user_id} has rated movie {item_id} already")


def check_times(ratings: pl.DataFrame, name: str) -> None:
    """ValueError naming the first line whose timestamp cannot be one."""
    problem = f"timestamp is {{timestamp}}, expected seconds since 1970, not milliseconds, before the year {NEVER}"
    require(ratings["timestamp"].is_between(0, _second(NEVER) - 1), ratings, name, problem)


def odd_times(ratings: pl.DataFrame) -> dict[str, int]:
    """Ratings of times at which nobody can have rated, but which a wrong clock may have written."""
    seconds = ratings["timestamp"]
    counts = {
        f"ratings from before {FIRST_YEAR}, when there was no MovieLens": int((seconds < _second(FIRST_YEAR)).sum()),
        "ratings from later than the day on which they were read": int((seconds > time.time() + 24 * 3600).sum()),
    }
    return {what: count for what, count in counts.items() if count}


def _second(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp())


def profile(users: pl.DataFrame) -> pl.Series:
    age = pl.col("age")
    aged = pl.when(age.str.contains(r"^\d")).then("aged " + age).otherwise(age + " years old")
    job = pl.col("occupation")
    works = pl.when(job == OCCUPATIONS[0]).then(pl.lit("occupation: not specified")).otherwise("occupation: " + job)
    return users.select("The user is " + pl.col("gender") + " and " + aged + "; " + works + ".").to_series()


def subject(users: pl.DataFrame) -> pl.Series:
    return users.select(pl.when(pl.col("gender") == "female").then(pl.lit("she")).otherwise(pl.lit("he"))).to_series()


def title(items: pl.DataFrame) -> pl.Series:
    return items["title"].str.replace_all(r"\s+", " ").str.strip_chars()


def description(items: pl.DataFrame) -> pl.Series:
    """A sentence for each field that is known."""
    genre = pl.when(pl.col("genre") == UNKNOWN).then(pl.lit(""))
    return items.select(
        "The title of the movie is "
        + pl.col("title")
        + "."
        + genre.otherwise(" The genre of the movie is " + pl.col("genre") + ".")
    ).to_series()


WORDS = Words(profile=profile, subject=subject, title=title, description=description, item="movie", consumed="watched")

CORPUS = Corpus(
    id="ml1m",
    name="MovieLens-1M",
    summary="Whole stars from 1 to 5, from users of MovieLens.",
    licence="other",
    terms="GroupLens allows research use with citation and forbids redistribution and commercial use without permission.",
    terms_url="https://files.grouplens.org/datasets/movielens/ml-1m-README.txt",
    may_be_redistributed=False,
    citation=(
        "@article{harper2015movielens,\n  title={The MovieLens Datasets: History and Context},\n"
        "  author={Harper, F. Maxwell and Konstan, Joseph A.},\n"
        "  journal={ACM Transactions on Interactive Intelligent Systems},\n  volume={5},\n  number={4},\n  year={2015}\n}"
    ),
    archive=Archive(
        url="https://files.grouplens.org/datasets/movielens/ml-1m.zip",
        md5="c4d9eecfca2ab87c1945afe126590906",
        sha256="a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
        size=None,
    ),
    generate=None,
    files=["users.dat", "movies.dat", "ratings.dat"],
    read=read,
    tasks=("by_time",),
    label_threshold=3,
    minimum_history=5,
    rating_range=(1, 5),
    group_field="genre",
    features=("user_id", "gender", "age", "occupation", "zip_code", "item_id", "title", "genre"),
    unrated_items_count=False,
    words=WORDS,
    expected_rows={
        "users": 6_040,
        "items": 3_883,
        "interactions": 1_000_209,
        "samples": 970_009,
        "train": 776_007,
        "validation": 97_000,
        "test": 97_002,
    },
    expected_bytes={"users.dat": 134_368, "movies.dat": 171_308, "ratings.dat": 24_594_131},
    divergences=(
        Divergence(
            what="which vector belongs to which movie",
            paper="its own",
            released="row r holds movie r + 1, and row numbers are compared with movie ids: off by one",
            ours="vectors are looked up by movie id",
            why="one row off, a movie is compared by the text of another one",
        ),
        Divergence(
            what="movies that get a vector",
            paper="not stated",
            released="all 3,952 numbers up to the largest id, the unused ones with an empty title and genre",
            ours="the movies of movies.dat",
            why="PCA would be fitted to vectors of empty text too",
        ),
    ),
)

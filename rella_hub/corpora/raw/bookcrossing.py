"""BookCrossing's users, books and ratings, out of the three files of the dump or out of those of its re-export on Kaggle.

Source: ReLLa, the released preparation for the country, the age groups, and which values of an item's fields are unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from rella_hub.corpora import UNKNOWN, RawTables
from rella_hub.corpora.raw.archive import RawFiles
from rella_hub.corpora.raw.delimited import cast, require, require_distinct_pairs
from rella_hub.corpora.raw.quoted import read_quoted
from rella_hub.corpora.raw.reexported import read_reexported

AGES = {  # first year of a group -> the group
    5: "under 18",
    18: "18-24",
    25: "25-29",
    30: "30-34",
    35: "35-39",
    40: "40-44",
    45: "45-49",
    50: "50-54",
    55: "55-59",
    60: "60+",
}
OLDEST = 100
LATEST_YEAR = "2005"  # in which a book may have been announced to appear when the ratings were gathered
FILLERS = ["", "n/a", "null", "unknown", "not avail", "not applicable (na )", "unknown publisher - being researched"]
# What users wrote for their country, in lower case and without the signs around it. "ã" stands where a letter was encoded
# twice and then put in lower case. Other countries are taken at their word.
COUNTRIES = {
    "USA": "usa, us, u.s, u.s.a, u.s. of a, united states, united states of america, united state, united staes, america, ysa, "
    "los estados unidos de norte america",
    "United Kingdom": "uk, u.k, england, scotland, wales, northern ireland, great britain, united kindgonm",
    "Spain": "españa, espaã±a, catalunya, catalonia, cataluña, catalunya spain, euskal herria, galicia, andalucia, pais vasco, "
    "orense",
    "Germany": "deutschland, baden-württemberg, baden-wuerttemberg, baden-wã¼rttemberg",
    "Italy": "italia, l`italia, l'italia",
    "Austria": "österreich, oesterreich",
    "Switzerland": "schweiz, suisse",
    "Netherlands": "the netherlands, holland, nederland",
    "Belgium": "belgique, belgië",
    "France": "la france",
    "Canada": "cananda",
    "New Zealand": "nz",
    "Mexico": "méxico",
    "Brazil": "brasil",
    "Uruguay": "urugua",
    "Panama": "republic of panama",
    "Philippines": "phillipines, the philippines",
    "Bahamas": "the bahamas",
    "United Arab Emirates": "u.a.e, uae",
}
SPELLINGS = {spelling: country for country, spellings in COUNTRIES.items() for spelling in spellings.split(", ")}
NOT_A_COUNTRY = r"^.?$|^unknown$|n/a|&#|[?@*0-9]"  # in lower case


@dataclass(frozen=True)
class Layout:
    """The three files, and how a table of them is read: as published, or as re-exported since."""

    users: str
    books: str
    ratings: str
    read_table: Callable[[RawFiles, str, dict[str, str | None]], pl.DataFrame]

    @property
    def files(self) -> list[str]:
        return [self.users, self.books, self.ratings]


PUBLISHED = Layout("BX-Users.csv", "BX-Books.csv", "BX-Book-Ratings.csv", read_quoted)
KAGGLE = Layout("Users.csv", "Books.csv", "Ratings.csv", read_reexported)


def read(raw: RawFiles, layout: Layout = PUBLISHED) -> RawTables:
    """Read the three files; ValueError with file and line for what does not fit.

    A book's item_id is the number of its record in the file of books, from 1. What is left out, and why, is counted in `dropped`.
    """
    users = _read_users(raw, layout)
    items, unusable = _read_items(raw, layout)
    ratings = _read_ratings(raw, layout)
    by_known_users = ratings.filter(ratings["user_id"].is_in(users["user_id"].implode()))
    kept = by_known_users.join(items.select("isbn", "item_id"), on="isbn", maintain_order="left")
    require_distinct_pairs(kept, "user_id", "item_id", layout.ratings, "user {user_id} has rated {isbn} already")
    dropped = {
        "books whose ISBN is not made of letters and digits alone": unusable,
        f"ratings by users who are not in {layout.users}": len(ratings) - len(by_known_users),
        f"ratings of books that are not in {layout.books}, or were left out": len(by_known_users) - len(kept),
    }
    late = int(((items["year"] > LATEST_YEAR) & (items["year"] != UNKNOWN)).sum())
    odd = {f"books that say they were published after {LATEST_YEAR}, later than they were rated": late}
    return RawTables(
        users=users,
        items=items,
        interactions=kept.select(
            "user_id", "item_id", pl.col("rating").cast(pl.Float32), pl.lit(None, pl.Int64).alias("timestamp")
        ),
        dropped={reason: rows for reason, rows in dropped.items() if rows},
        odd={what: rows for what, rows in odd.items() if rows},
    )


def _read_users(raw: RawFiles, layout: Layout) -> pl.DataFrame:
    name = layout.users
    users = layout.read_table(raw, name, {"User-ID": "user_id", "Location": "location", "Age": "age"})
    users = users.with_columns(cast(users, name, "user_id", pl.Int32))
    require(users["user_id"] > 0, users, name, "user_id is {user_id}, expected a number from 1")
    require(users["user_id"].is_first_distinct(), users, name, "user {user_id} stands there already")
    is_age = users["age"].str.contains("^[0-9]+$").fill_null(True)
    require(is_age, users, name, "age is {age!r}, expected a whole number or NULL")
    groups = {age: AGES[max(first for first in AGES if first <= age)] for age in range(min(AGES), OLDEST + 1)}
    return users.select(
        "user_id",
        _country(pl.col("location")).alias("country"),
        pl.col("age").cast(pl.Int32, strict=False).replace_strict(groups, default=UNKNOWN, return_dtype=pl.String),
    )


def _country(location: pl.Expr) -> pl.Expr:
    """The last part of "city, state, country": by `SPELLINGS`, else with capitals; unknown where it names no country."""
    last = location.fill_null("").str.replace_all(r"\s+", " ").str.split(",").list.last()
    said = last.str.to_lowercase().str.strip_chars(" \"'`.,;:<>()[]\\")
    capitals = said.str.to_titlecase().str.replace_many([" And ", " Of ", " The "], [" and ", " of ", " the "])
    return (
        pl.when(said.str.contains(NOT_A_COUNTRY))
        .then(pl.lit(UNKNOWN))
        .otherwise(said.replace_strict(SPELLINGS, default=capitals, return_dtype=pl.String))
    )


def _read_items(raw: RawFiles, layout: Layout) -> tuple[pl.DataFrame, int]:
    """The books, and how many more there were that no rating can name. Titles stay as they are, also an empty one."""
    name = layout.books
    columns = {"ISBN": "isbn", "Book-Title": "title", "Book-Author": "author", "Year-Of-Publication": "year"}
    images = {"Image-URL-S": None, "Image-URL-M": None, "Image-URL-L": None}
    books = layout.read_table(raw, name, columns | {"Publisher": "publisher"} | images)
    books = books.with_row_index("item_id", offset=1)
    items = books.filter(pl.col("isbn").str.contains("^[A-Za-z0-9]+$"))
    require(items["isbn"].is_first_distinct(), items, name, "ISBN {isbn} stands there already")
    is_year = pl.col("year").str.contains("^[0-9]{4}$")
    named = items.select(
        pl.col("item_id").cast(pl.Int32),
        "isbn",
        pl.col("title").fill_null(""),
        _known("author"),
        pl.when(is_year).then("year").otherwise(pl.lit(UNKNOWN)).alias("year"),
        _known("publisher"),
    )
    return named, len(books) - len(items)


def _known(column: str) -> pl.Expr:
    nothing = pl.col(column).str.strip_chars().str.to_lowercase().is_in(FILLERS).fill_null(True)
    return pl.when(nothing).then(pl.lit(UNKNOWN)).otherwise(column).alias(column)


def _read_ratings(raw: RawFiles, layout: Layout) -> pl.DataFrame:
    name = layout.ratings
    ratings = layout.read_table(raw, name, {"User-ID": "user_id", "ISBN": "isbn", "Book-Rating": "rating"})
    ratings = ratings.with_columns(cast(ratings, name, column, pl.Int32) for column in ("user_id", "rating"))
    require(ratings["rating"].is_between(0, 10), ratings, name, "rating is {rating}, expected 0 to 10")
    return ratings

"""Read Amazon reviews: the publisher's two files of a category, or the two tables that they are passed on as.

As published (Ni et al., 2019) a category is a file of reviews and one of products, gzip files of JSON lines. Research groups pass it on
as `items.csv` and either `interactions.csv` (a row an interaction, with its time, which may be empty) or `sequences.csv` (a row a user, the
items in order); `items.csv` has an `item_id` and whichever of the text fields its makers kept.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from rella_hub.corpora import RawTables
from rella_hub.corpora.raw.archive import RawFiles
from rella_hub.corpora.raw.comma import read_comma_separated
from rella_hub.corpora.raw.delimited import cast, read_delimited, require
from rella_hub.corpora.raw.json_lines import read_json_lines

REVIEW = {"reviewerID": pl.String, "asin": pl.String, "unixReviewTime": pl.Int64}
PRODUCT = {"asin": pl.String, "title": pl.String, "brand": pl.String, "category": pl.List(pl.String)}
ITEM_FIELDS = ("title", "brand", "category", "asin")
PASSED_ON_AS = {"categories": "category"}  # what others call a field
PAGE_CODE = r"getTime|<span|\n\s*function"  # pieces of the shop's page that stand where some titles should
LONGEST_TITLE = 2000  # bytes of UTF-8
NEVER = 4_102_444_800  # the year 2100
REPEATED = "reviews of a product that the user had reviewed before"
NO_TITLE = "products without a title"


def read_published(raw: RawFiles, reviews: str, products: str) -> RawTables:
    """Users and products are numbered in the order of their first review; their published ids are text fields."""
    rows = read_json_lines(raw, reviews, REVIEW)
    for field in REVIEW:
        require(rows[field].is_not_null(), rows, reviews, f"a review without {field}")
    for field in ("reviewerID", "asin"):
        require(rows[field].str.strip_chars() != "", rows, reviews, f"{field} is empty")
    _require_possible(rows["unixReviewTime"], rows, reviews, "unixReviewTime")
    described = read_json_lines(raw, products, PRODUCT)
    require(described["asin"].is_not_null(), described, products, "a product without asin")
    users = rows["reviewerID"].unique(maintain_order=True).to_frame("reviewer").with_row_index("user_id", 1)
    items = rows["asin"].unique(maintain_order=True).to_frame().with_row_index("item_id", 1)
    items = items.join(described.unique("asin", keep="first"), on="asin", how="left", maintain_order="left")
    category = pl.col("category").list.eval(pl.element().drop_nulls()).list.join(", ")
    garbled = pl.col("title").str.contains(PAGE_CODE) | (pl.col("title").str.len_bytes() > LONGEST_TITLE)
    items = items.with_columns(category, title=pl.when(~garbled).then("title"), brand="brand")
    interactions = (
        rows.join(users, left_on="reviewerID", right_on="reviewer", maintain_order="left")
        .join(items.select("asin", "item_id"), on="asin", maintain_order="left")
        .rename({"unixReviewTime": "timestamp"})
    )
    return _tables(users.with_columns(pl.col("user_id").cast(pl.Int32)), items, interactions)


def read_passed_on(raw: RawFiles, interactions: str) -> RawTables:
    """`items.csv` with the file of interactions of that name; ids are those of the files."""
    items = _read_items(raw)
    rows = _read_sequences(raw, interactions) if interactions == "sequences.csv" else _read_rows(raw, interactions)
    known = rows["item_id"].is_in(items["item_id"].implode())
    require(known, rows, interactions, "item {item_id} is not in items.csv")
    return _tables(rows.select("user_id").unique().sort("user_id"), items, rows)


def _read_items(raw: RawFiles) -> pl.DataFrame:
    name = "items.csv"
    first = next(raw.blocks(name), b"").partition(b"\n")[0].decode("utf-8-sig", "replace").strip()
    header = first.split(",")
    if "item_id" not in header or len(set(header)) < len(header):
        raise ValueError(
            f"{name}, line 1: the header is {first[:120]!r}, expected item_id and any of {', '.join(ITEM_FIELDS)}."
        )
    columns = {column: pl.Int32 if column == "item_id" else pl.String for column in header}
    items = read_comma_separated(raw, name, columns, header)
    require(items["item_id"] >= 0, items, name, "item_id is {item_id}, expected a number from 0")
    require(items["item_id"].is_first_distinct(), items, name, "item {item_id} stands there already")
    return items.rename(PASSED_ON_AS, strict=False)


def _read_rows(raw: RawFiles, name: str) -> pl.DataFrame:
    columns = {"user_id": pl.Int32, "item_id": pl.Int32, "timestamp": pl.String}
    rows = read_delimited(raw, name, ",", columns, "utf-8", list(columns))
    known = rows["timestamp"] != ""
    seconds = cast(rows.filter(known), name, "timestamp", pl.Int64)
    _require_possible(seconds, rows.filter(known), name, "timestamp")
    return rows.with_columns(timestamp=rows["timestamp"].set(~known, None).cast(pl.Int64))


def _read_sequences(raw: RawFiles, name: str) -> pl.DataFrame:
    columns = {"user_id": pl.Int32, "item_ids": pl.String}
    rows = read_delimited(raw, name, ",", columns, "utf-8", list(columns))
    require(rows["user_id"].is_first_distinct(), rows, name, "user {user_id} stands there already")
    rows = rows.with_columns(item_id=rows["item_ids"].str.split(" ")).explode("item_id", empty_as_null=True)
    return rows.select("line", "user_id", cast(rows, name, "item_id", pl.Int32), timestamp=pl.lit(None, dtype=pl.Int64))


def _require_possible(seconds: pl.Series, rows: pl.DataFrame, name: str, column: str) -> None:
    problem = f"{column} is {{{column}}}, expected seconds since 1970, not milliseconds, before the year 2100"
    require(seconds.is_between(0, NEVER - 1), rows, name, problem)


def _tables(users: pl.DataFrame, items: pl.DataFrame, interactions: pl.DataFrame) -> RawTables:
    """The tables as every corpus has them; of several reviews of one product by one user the earliest counts."""
    in_time = interactions.sort("timestamp", nulls_last=True, maintain_order=True)
    once = in_time.unique(["user_id", "item_id"], keep="first", maintain_order=True).sort("line", maintain_order=True)
    texts = [
        pl.col(field).fill_null("") if field in items.columns else pl.lit("").alias(field) for field in ITEM_FIELDS
    ]
    items = items.select(pl.col("item_id").cast(pl.Int32), *texts)
    untitled = int((items["title"].str.strip_chars() == "").sum())
    return RawTables(
        users=users,
        items=items,
        interactions=once.select(
            pl.col("user_id").cast(pl.Int32),
            pl.col("item_id").cast(pl.Int32),
            pl.lit(None, dtype=pl.Float32).alias("rating"),
            "timestamp",
        ),
        dropped=_counted({REPEATED: len(interactions) - len(once)}),
        odd=_counted({NO_TITLE: untitled}),
    )


def _counted(counts: dict[str, int]) -> dict[str, int]:
    return {what: count for what, count in counts.items() if count}


def item_texts(items: pl.DataFrame, fields: Sequence[str]) -> list[pl.Expr]:
    """The text fields of `items` that are filled, null where one is not."""
    return [pl.when(pl.col(field).str.strip_chars() != "").then(field) for field in fields if field in items.columns]

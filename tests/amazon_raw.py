"""Invented Amazon reviews, in the layout of their publisher and in the one that they are passed on in."""

import gzip
import json
from pathlib import Path

REVIEWS, PRODUCTS = "Video_Games_5.json.gz", "meta_Video_Games.json.gz"
USERS = ("A1", "A2", "A3", "A4")
ASINS = ("B000", "B001", "B002", "B003", "B004", "B005")


def reviews() -> list[dict]:
    """Four users with 6, 5, 4 and 2 reviews of six products; A1 reviews B000 again, later."""
    found = [
        {"reviewerID": user, "asin": ASINS[(number + place) % 6], "unixReviewTime": 1_400_000_000 + 86_400 * place}
        for number, (user, count) in enumerate(zip(USERS, (6, 5, 4, 2), strict=True))
        for place in range(count)
    ]
    found.append({"reviewerID": "A1", "asin": "B000", "unixReviewTime": 1_500_000_000})
    return [{**review, "overall": 5.0, "style": {"Format:": " CD"}, "reviewText": "caf\u00e9"} for review in found]


def products() -> list[dict]:
    """Of B004 nothing is known, of B005 the title is a piece of a page; B000 is described twice."""
    return [
        {"asin": "B000", "title": "Lunar &amp; Rocket", "brand": "Acme", "category": ["Video Games", "PC"]},
        {"asin": "B001", "title": 'Haunted "Crypt"', "category": []},
        {"asin": "B000", "title": "Lunar &amp; Rocket", "brand": "Other", "category": ["Video Games"]},
        {"asin": "B002", "title": "Dusty, Saloon", "brand": "", "category": ["Video Games"]},
        {"asin": "B003", "title": "Tidal Wave", "brand": "Acme", "category": ["Accessories", None]},
        {"asin": "B005", "title": "var aPageStart = (new Date()).getTime();", "brand": "Acme", "category": ["PC"]},
        {"asin": "B999", "title": "Nobody's", "brand": "Acme", "category": ["PC"]},
    ]


def lines_of(objects: list[dict]) -> bytes:
    return "".join(json.dumps(one) + "\n" for one in objects).encode()


def write_published(folder: Path, review_lines: bytes | None = None, product_lines: bytes | None = None) -> Path:
    """Both files, packed; the lines of either may be given."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {REVIEWS: review_lines or lines_of(reviews()), PRODUCTS: product_lines or lines_of(products())}
    for name, text in texts.items():
        (folder / name).write_bytes(gzip.compress(text, mtime=0))
    return folder

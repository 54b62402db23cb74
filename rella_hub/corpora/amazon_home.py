"""Amazon Home and Kitchen: 6.9 million reviews of household goods, five or more of each user and product.

Source: Ni, Li and McAuley (EMNLP 2019), as rella_hub/corpora/amazon_games.py, which has all that the categories share.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from rella_hub.corpora import amazon_games
from rella_hub.corpora.raw.amazon import read_published

CATEGORY = "Home_and_Kitchen"
CORPUS = replace(
    amazon_games.CORPUS,
    id="amazon_home",
    name="Amazon Home and Kitchen",
    summary="Reviews of household goods on Amazon; a review counts as an interaction, whatever its stars.",
    archive=amazon_games.published(CATEGORY),
    files=amazon_games.files(CATEGORY),
    read=partial(read_published, reviews=amazon_games.files(CATEGORY)[0], products=amazon_games.files(CATEGORY)[1]),
    reexport=amazon_games.passed_on(
        "sequences.csv and items.csv of the 2014 reviews, 5-core, as research groups pass them on",
        "The tables know no title, brand or category: what reads texts has nothing to read.",
        "There are no times; the order is that of the file.",
        order_only=True,
    ),
)

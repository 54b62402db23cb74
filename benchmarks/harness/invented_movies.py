"""A catalogue of movies that never were, in the numbers and the format of MovieLens-25M's movies.csv."""

from __future__ import annotations

import numpy as np
import polars as pl

MOVIES, RATED, LARGEST_ID = 62_423, 59_047, 209_171
OLD = 9_020  # ids below are nearly all taken; then they leap
LEAP = 25_746
OLD_MOVIES = 8_800
GENRES = {  # share of the movies, of which most have several
    **{"Action": 0.19, "Adventure": 0.13, "Animation": 0.06, "Children": 0.07, "Comedy": 0.39, "Crime": 0.12},
    **{"Documentary": 0.05, "Drama": 0.45, "Fantasy": 0.08, "Film-Noir": 0.01, "Horror": 0.10, "IMAX": 0.016},
    **{"Musical": 0.034, "Mystery": 0.06, "Romance": 0.16, "Sci-Fi": 0.10, "Thriller": 0.19, "War": 0.04},
    **{"Western": 0.017},
}
GENRE_COUNTS = [0.081, 0.29, 0.30, 0.21, 0.09, 0.025, 0.004]  # of none, one, ...
ARTICLES = {"The": 0.19, "A": 0.015, "La": 0.01, "El": 0.01}
FIRST_WORDS = (
    "Silent Golden Broken Midnight Distant Crimson Hidden Burning Frozen Wandering Forgotten Electric Paper Second Last Little "
    "Lonely Sacred Stolen Quiet Bitter Blue Château Último Café Iron Velvet Hollow Northern Restless"
)
SECOND_WORDS = (
    "Harbor Orchard Letter Winter Garden River Promise Stranger Empire Shadow Mirror Journey Kingdom Summer Detective Sister "
    "Brother Machine Island Carnival Witness Lantern Horizon Sparrow Station Fortune Tiger Canyon Melody Apartment Señor"
)
ENDINGS = (
    " II| Returns| of the Valley| in Vienna| at Dawn|: The Beginning| and the Sea| of Lisbon| Without a Name| on the Hill|"
    ", My Love|: A Story of Two Cities| for Sale"
)
ENDED = 0.2  # of the titles
NICKNAME = ' "Ace"'  # a CSV file doubles the quotation marks
NICKNAMED, UNDATED = 0.001, 0.0065


def catalogue(rng: np.random.Generator) -> tuple[np.ndarray, pl.DataFrame]:
    """Ids of the movies to be rated, ascending, and the whole table: `movieId,title,genres`."""
    old = rng.choice(np.arange(2, OLD), OLD_MOVIES - 1, replace=False)
    new = rng.choice(np.arange(LEAP, LARGEST_ID), MOVIES - OLD_MOVIES - 1, replace=False)
    ids = np.sort(np.concatenate([[1], old, new, [LARGEST_ID]]))
    rated = np.sort(rng.choice(ids, RATED, replace=False))
    return rated, pl.DataFrame({"movieId": ids, "title": _titles(rng), "genres": _genres(rng)})


def _titles(rng: np.random.Generator) -> pl.Series:
    """`Silent Harbor, The (1987)`; a few have no year."""
    year = 2019 - np.minimum(rng.exponential(24, MOVIES), 120).astype(int)
    parts = pl.DataFrame(
        {
            "first": _choose(rng, FIRST_WORDS.split()),
            "nickname": _choose(rng, ["", NICKNAME], [1 - NICKNAMED, NICKNAMED]),
            "second": _choose(rng, SECOND_WORDS.split()),
            "ending": _choose(
                rng,
                ["", *ENDINGS.split("|")],
                [1 - ENDED, *[ENDED / len(ENDINGS.split("|"))] * len(ENDINGS.split("|"))],
            ),
            "article": _choose(
                rng, ["", *(f", {a}" for a in ARTICLES)], [1 - sum(ARTICLES.values()), *ARTICLES.values()]
            ),
            "year": pl.Series(year),
        }
    )
    dated = pl.when(pl.Series(rng.random(MOVIES) > UNDATED)).then(pl.format(" ({})", "year")).otherwise(pl.lit(""))
    return parts.select(
        pl.format("{}{} {}{}{}{}", "first", "nickname", "second", "ending", "article", dated)
    ).to_series()


def _genres(rng: np.random.Generator) -> pl.Series:
    """Some of the genres in the order of the alphabet, the frequent ones more often."""
    count = np.searchsorted(np.cumsum(GENRE_COUNTS)[:-1], rng.random(MOVIES), side="right")
    clock = rng.exponential(size=(MOVIES, len(GENRES))) / np.array(list(GENRES.values()))
    chosen = clock.argsort(axis=1).argsort(axis=1) < count[:, None]
    sets, which = np.unique(chosen @ (1 << np.arange(len(GENRES))), return_inverse=True)
    named = ["|".join(g for bit, g in enumerate(GENRES) if code >> bit & 1) or "(no genres listed)" for code in sets]
    return pl.Series(named).gather(which)


def _choose(rng: np.random.Generator, words: list[str], shares: list[float] | None = None) -> pl.Series:
    return pl.Series(words).gather(rng.choice(len(words), MOVIES, p=shares))

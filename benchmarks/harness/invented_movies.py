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
FIRST_WORDS = (
    "Silent Golden Broken Midnight Distant Crimson Hidden Burning Frozen Wandering Forgotten Electric Paper Second Last Little "
    "Lonely Sacred Stolen Quiet Bitter Blue Château Último Café Iron Velvet Hollow Northern Restless"
)
NAMES = (  # of three syllables each, so many that hardly a title comes twice
    "Ka Mar Bel Tor Vin Sa Lo Ri Del Fen Gar Hol Jar Mon Nor Pel Quin Ros Syl Tam Ul Var Wen Yar Zel",
    "a e i o u an en in on ar er or al el il ol ta te ri ro la le mi na né",
    "dor ville ton ra mia nia berg ford stan ne da lia ska wood field heim ova escu son sen ini etti aux mont ret",
)
# What some titles have, and the share of those.
ENDINGS = {
    " II": 0.05,
    " Returns": 0.03,
    ": The Beginning": 0.03,
    " at Dawn": 0.03,
    ", My Love": 0.02,
    " for Sale": 0.04,
}
ARTICLES = {", The": 0.19, ", A": 0.015, ", La": 0.01, ", El": 0.01}
NICKNAME = {' "Ace"': 0.001}  # a CSV file doubles the quotation marks
UNDATED = 0.0065


def catalogue(rng: np.random.Generator) -> tuple[np.ndarray, pl.DataFrame]:
    """Ids of the movies to be rated, ascending, and the whole table: `movieId,title,genres`."""
    old = rng.choice(np.arange(2, OLD), OLD_MOVIES - 1, replace=False)
    new = rng.choice(np.arange(LEAP, LARGEST_ID), MOVIES - OLD_MOVIES - 1, replace=False)
    ids = np.sort(np.concatenate([[1], old, new, [LARGEST_ID]]))
    rated = np.sort(rng.choice(ids, RATED, replace=False))
    return rated, pl.DataFrame({"movieId": ids, "title": _titles(rng), "genres": _genres(rng)})


def _titles(rng: np.random.Generator) -> pl.Series:
    """`Silent Torinska, The (1987)`; a few have no year."""
    year = pl.Series(2019 - np.minimum(rng.exponential(24, MOVIES), 120).astype(int))
    first = _words(rng, FIRST_WORDS)
    name = [_words(rng, syllables) for syllables in NAMES]
    nickname, ending, article = (_or_nothing(rng, shares) for shares in (NICKNAME, ENDINGS, ARTICLES))
    dated = pl.when(pl.Series(rng.random(MOVIES) > UNDATED)).then(pl.format(" ({})", year)).otherwise(pl.lit(""))
    return pl.select(pl.format("{}{} {}{}{}{}{}{}", first, nickname, *name, ending, article, dated)).to_series()


def _genres(rng: np.random.Generator) -> pl.Series:
    """Some of the genres in the order of the alphabet, the frequent ones more often."""
    count = np.searchsorted(np.cumsum(GENRE_COUNTS)[:-1], rng.random(MOVIES), side="right")
    clock = rng.exponential(size=(MOVIES, len(GENRES))) / np.array(list(GENRES.values()))
    chosen = clock.argsort(axis=1).argsort(axis=1) < count[:, None]
    sets, which = np.unique(chosen @ (1 << np.arange(len(GENRES))), return_inverse=True)
    named = ["|".join(g for bit, g in enumerate(GENRES) if code >> bit & 1) or "(no genres listed)" for code in sets]
    return pl.Series(named).gather(which)


def _words(rng: np.random.Generator, words: str) -> pl.Series:
    """One of the words for each movie."""
    known = words.split()
    return pl.Series(known).gather(rng.integers(len(known), size=MOVIES))


def _or_nothing(rng: np.random.Generator, shares: dict[str, float]) -> pl.Series:
    """One of the texts for each movie by its share, nothing for the rest."""
    drawn = np.searchsorted(np.cumsum(list(shares.values())), rng.random(MOVIES), side="right")
    return pl.Series([*shares, ""]).gather(drawn)

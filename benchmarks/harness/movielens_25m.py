"""Raw archives in the format and of the shape of MovieLens-25M, for any number of users: how do times grow with the data?

What is published of the real archive is met exactly at its size (users, movies, ratings, shortest and longest user, the
most rated movie nearly); what is not was measured on ml-latest-small, an archive of the same service in the same format:
gaps of time, sessions, stars. No line is copied from either, and every title is invented.

Fewer users are a sample of the same people: `lengths` keeps the work a rating makes, and the catalogue stays whole, as what is
made of it (vectors of items) does not shrink with the users; fewer of its movies are rated, as in a sample.
Not imitated: movies come out before they are rated, tastes, and the weak order by id in which a user rates.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import NormalDist
from typing import IO

import numpy as np
import polars as pl

from harness import invented_movies
from harness.invented_movies import RATED

USERS, RATINGS, SHORTEST, LONGEST = 162_541, 25_000_095, 20, 32_202
FEWEST_USERS = 100
GENERATED = "generated archive"  # what an archive or its folder is recorded as
# The number of ratings of a user by quantile, all but the longest: median 71, and a mean of 153.8 as published.
LENGTHS = {0: 20, 0.05: 21, 0.25: 36, 0.5: 71, 0.75: 162, 0.9: 375, 0.95: 585, 0.99: 1240, 0.999: 2700, 0.9999: 5500}
SECOND_LONGEST = 9200
# Millionths of the draws by rank of a movie, so that 162,541 users of these lengths, none of whom takes a movie twice,
# give the most popular one about 81,491 ratings and the median one 6.
POPULARITY = {
    **{1: 7788, 10: 4314, 30: 2700, 100: 1692, 200: 923.3, 500: 443.2, 1000: 210.1, 2000: 75.97, 4000: 26.84},
    **{8000: 4.671, 15000: 0.9355, 30000: 0.1211, 44000: 0.02494, 48500: 0.01011, 59047: 0.0007449},
}
# Share of a user's neighbours in time that fall into the same second, at equal steps of quantile: half the users have none.
SAME_SECOND = [0] * 11 + [0.013, 0.204, 0.347, 0.429, 0.5, 0.562, 0.619, 0.667, 0.727, 0.976]
# Share of a user's neighbours that lie more than an hour apart, at equal steps of quantile.
BREAKS = [0, 0, 0.0014, 0.003, 0.006, 0.010, 0.015, 0.024, 0.038, 0.09, 0.29]
WITHIN_SESSION = {  # seconds between two ratings, by quantile, those of the same second left out
    **{0: 1, 0.02: 1, 0.05: 2, 0.1: 3, 0.2: 4, 0.3: 6, 0.4: 9, 0.5: 13, 0.6: 19, 0.7: 27, 0.8: 41, 0.9: 81, 0.95: 155},
    **{0.98: 343, 0.99: 637, 0.995: 1088, 0.999: 2750, 1: 3596},
}
BETWEEN_SESSIONS = {  # hours, by quantile
    **{0: 1.01, 0.02: 1.5, 0.05: 2.4, 0.1: 5.2, 0.2: 20.3, 0.3: 27.4, 0.4: 51.9, 0.5: 94.3, 0.6: 143.6, 0.7: 214.4},
    **{0.8: 386.1, 0.9: 916.1, 0.95: 2025, 0.98: 5096, 0.99: 8584, 0.995: 13244, 1: 58652},
}
RECENT = 26  # how much less popular the movies behind the leap in the ids are
FIRST, LAST = 789_652_009, 1_574_327_703  # 1995-01-09 and 2019-11-21
# A user's first rating at equal steps of quantile; the share of each half star.
STARTS = [FIRST, 843.2e6, 873.4e6, 966.4e6, 1043e6, 1155e6, 1234e6, 1333e6, 1437e6, 1500e6, LAST]
STARS = [0.0136, 0.0279, 0.0178, 0.0749, 0.0550, 0.1988, 0.1303, 0.2660, 0.0848, 0.1310]
USER_EFFECT, MOVIE_EFFECT = 0.42, 0.42  # of a standard deviation
CHUNK = 4096  # users at a time
DRAWN_AT_ONCE = 2000  # a longer user would meet the movies taken already too often


def generate(path: Path, users: int = USERS, seed: int = 0) -> None:
    """Write the archive: a zip where `path` ends in .zip, else the two files into the folder `path`; same seed, same bytes."""
    if users < FEWEST_USERS:
        raise ValueError(f"users is {users}; the shape of MovieLens-25M needs {FEWEST_USERS} of them or more.")
    rng = np.random.default_rng(seed)
    ids, movies = invented_movies.catalogue(rng)
    length = rng.permutation(lengths(users))
    weight = _by_popularity(rng, ids)
    effect = rng.normal(0, MOVIE_EFFECT, RATED)
    movie, owner = _first_raters(rng, length)
    with _opened(path) as open_member:
        with open_member("ratings.csv") as stream:
            stream.write(b"userId,movieId,rating,timestamp\r\n")
            for begin in range(0, users, CHUNK):
                chunk = length[begin : begin + CHUNK]
                mine = slice(*np.searchsorted(owner, (begin, begin + len(chunk))))
                user, rated = np.divmod(_draw(rng, chunk, weight, (owner[mine] - begin) * RATED + movie[mine]), RATED)
                table = {
                    "userId": begin + user + 1,
                    "movieId": ids[rated],
                    "rating": _stars(rng, user, effect[rated]),
                    "timestamp": _times(rng, chunk),
                }
                pl.DataFrame(table).write_csv(stream, include_header=False, line_terminator="\r\n", float_precision=1)
        with open_member("movies.csv") as stream:
            movies.write_csv(stream, line_terminator="\r\n")


def lengths(users: int) -> np.ndarray:
    """The number of ratings of each user, ascending; in all, the published number times the share of users.

    Fewer users stand each for as many of the whole, and have the root mean square of their lengths: the sum of length²
    over the ratings, to which the work for all pairs of a user's ratings is proportional, stays the same within 2.5 percent
    (from 1000 users on, 1 percent). The single longest user of 32,202 ratings is thereby a part of the sample's longest,
    which is shorter: 12,307 for a tenth of the users.
    """
    quantile = (np.arange(USERS) + 0.5) / USERS
    known = np.array([*LENGTHS, quantile[-2]])
    logarithm = np.interp(-np.log1p(-quantile), -np.log1p(-known), np.log([*LENGTHS.values(), SECOND_LONGEST]))
    squares = np.append(0, np.cumsum(np.append(np.exp(2 * logarithm[:-1]), LONGEST**2)))
    bounds = np.linspace(0, USERS, users + 1)
    length = np.sqrt(np.diff(np.interp(bounds, np.arange(USERS + 1), squares)) * users / USERS)
    longest, total = round(length[-1]), round(RATINGS * users / USERS)
    over = length[:-1] - SHORTEST
    over *= (total - longest - SHORTEST * (users - 1)) / over.sum()
    up_to = np.rint(np.cumsum(over)).astype(np.int64)  # the sum of whole numbers stays what it was
    return np.append(np.sort(SHORTEST + np.diff(up_to, prepend=0)), longest)


def _by_popularity(rng: np.random.Generator, ids: np.ndarray) -> np.ndarray:
    """Shares of the draws of the rated movies, in the order of their ids: old ones are the popular ones, as they are real."""
    rank = np.arange(1, RATED + 1)
    by_rank = np.exp(np.interp(np.log(rank), np.log(list(POPULARITY)), np.log(list(POPULARITY.values()))))
    order = np.argsort(rng.exponential(np.where(ids < invented_movies.OLD, 1, RECENT)))
    weight = np.empty(RATED)
    weight[order] = by_rank / by_rank.sum()
    return weight


def _first_raters(rng: np.random.Generator, length: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One user for every movie, so that none stays unrated (for a share of the movies where users are fewer): movies and
    users, ordered by user, then movie."""
    count = min(RATED, round(RATED * len(length) / USERS))
    movie = rng.choice(RATED, count, replace=False)
    owner = np.searchsorted(np.cumsum(length), rng.integers(length.sum(), size=count), side="right")
    if (np.bincount(owner, minlength=len(length)) > length).any():
        raise ValueError("A user got more first ratings than it has ratings. Take another seed.")
    order = np.lexsort((movie, owner))
    return movie[order], owner[order]


def _draw(rng: np.random.Generator, length: np.ndarray, weight: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Distinct pairs `user * RATED + movie`, ascending, `length[user]` of each user, `first` (ascending) among them.

    Movies are drawn by weight, and again in the place of those that a user has already.
    """
    cumulative = np.cumsum(weight)
    cumulative[-1] = 1
    starts = np.arange(len(length) + 1) * RATED
    is_long = length > DRAWN_AT_ONCE
    complete = []
    for user in np.flatnonzero(is_long):
        held = first[slice(*np.searchsorted(first, starts[user : user + 2]))]
        complete.append(starts[user] + _draw_at_once(rng, weight, length[user], held - starts[user]))
    wanted = np.where(is_long, 0, length)
    pairs = first[~is_long[first // RATED]]
    while True:
        held = np.diff(np.searchsorted(pairs, starts))
        missing = wanted - held
        is_complete = np.repeat(missing == 0, held)
        complete.append(pairs[is_complete])
        if not missing.any():
            return np.sort(np.concatenate(complete))
        wanted[missing == 0] = 0
        user = np.repeat(np.arange(len(length)), missing)
        drawn = user * RATED + np.searchsorted(cumulative, rng.random(len(user)), side="right")
        pairs = np.unique(np.concatenate([pairs[~is_complete], drawn]))


def _draw_at_once(rng: np.random.Generator, weight: np.ndarray, count: int, held: np.ndarray) -> np.ndarray:
    """`count` movies of one user, `held` among them: those whose exponential clocks, the faster the heavier, ring first.
    The distribution is that of drawing one after the other."""
    clock = rng.exponential(size=RATED) / weight
    clock[held] = 0
    return np.argpartition(clock, count)[:count]


def _stars(rng: np.random.Generator, user: np.ndarray, movie_effect: np.ndarray) -> np.ndarray:
    """Half stars: a standard normal opinion, of which user and movie have their part, cut where the shares say."""
    cuts = [NormalDist().inv_cdf(share) for share in np.cumsum(STARS)[:-1]]
    noise = (1 - USER_EFFECT**2 - MOVIE_EFFECT**2) ** 0.5
    opinion = rng.normal(0, USER_EFFECT, user[-1] + 1)[user] + movie_effect + rng.normal(0, noise, len(user))
    return (np.searchsorted(cuts, opinion) + 1) / 2


def _times(rng: np.random.Generator, length: np.ndarray) -> np.ndarray:
    """A time for each rating of users of these lengths, in random order within a user.

    Gaps are drawn one by one: the same second, within a session, or a break between two. Long users have more breaks, and
    shorter ones more ties. A span that would end too late begins earlier; if need be its breaks are shortened.
    """
    starts = np.cumsum(length) - length
    user = np.repeat(np.arange(len(length)), length)
    tied = _at(SAME_SECOND, rng.random(len(length))) * (100 / np.maximum(length, 100)) ** 0.35
    broken = np.minimum(_at(BREAKS, rng.random(len(length))) * (length / 130) ** 0.6, 0.6)
    kind = rng.random(len(user))
    kind[starts] = 0.5  # the first of a user follows nothing
    is_break = kind > 1 - broken[user]
    within = np.where(kind < tied[user], 0, _table(WITHIN_SESSION)[rng.integers(4096, size=len(user))])
    within[is_break] = within[starts] = 0
    between = np.zeros(len(user))
    between[is_break] = 3600 * _table(BETWEEN_SESSIONS)[rng.integers(4096, size=is_break.sum())]
    within, between = (np.cumsum(gap) for gap in (within.astype(np.int64), between))
    within, between = (total - total[starts][user] for total in (within, between))
    last = starts + length - 1
    start = np.minimum(_at(STARTS, rng.random(len(length))), LAST - within[last] - between[last])
    start = np.maximum(start, FIRST).astype(int)
    shrink = np.minimum((LAST - start - within[last]) / np.maximum(between[last], 1), 1)
    times = np.empty(len(user), np.int64)
    times[np.argsort(user + rng.random(len(user)))] = start[user] + within + (between * shrink[user]).astype(int)
    return times


def _at(quantiles: list[float], at: np.ndarray) -> np.ndarray:
    return np.interp(at, np.linspace(0, 1, len(quantiles)), quantiles)


def _table(quantiles: dict[float, float]) -> np.ndarray:
    """Values at 4096 equal steps of quantile, between two on a logarithmic scale."""
    return np.exp(np.interp((np.arange(4096) + 0.5) / 4096, list(quantiles), np.log(list(quantiles.values()))))


@contextmanager
def _opened(path: Path) -> Iterator[Callable[[str], IO[bytes]]]:
    """A function that opens a file of the archive to be written, one at a time."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            yield lambda name: archive.open(f"ml-25m/{name}", "w", force_zip64=True)
    else:
        path.mkdir(parents=True, exist_ok=True)
        yield lambda name: (path / name).open("wb")

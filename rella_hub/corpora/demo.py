"""A small corpus that the project generates itself, in MovieLens-1M's raw format: the default that needs no download.

Every title is two words of one theme ("Haunted Crypt", "Lunar Rocket"), so what a title means is in its words. Every user has a
hidden taste, a like or dislike of each theme that never shows in the profile. A rating follows the taste for the movie's theme,
how well movies of that first word are made, and some noise. So the ratings of earlier movies *of the same theme* predict the
label, the profile and the latest movies say little, and finding those movies by the meaning of their titles is what SUBR does.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from rella_hub.corpora import Corpus, ml1m
from rella_hub.files.ownership import writing_folder

RAW_CORPUS = "generated raw corpus"
SEED = 20230822
USERS = 500
RATINGS_PER_USER = (40, 80)  # inclusive bounds of a uniform draw
SECONDS_BETWEEN_RATINGS = 40.0
FIRST_SECOND = 956_700_000

THEMES: dict[str, tuple[str, str, str]] = {
    # theme: (genre, first words, second words)
    "ghosts": (
        "Horror",
        "Haunted Cursed Ghostly Bloody Creepy Undead Spooky Sinister",
        "Graveyard Vampire Zombie Nightmare",
    ),
    "space": (
        "Sci-Fi",
        "Lunar Galactic Stellar Cosmic Martian Orbital Interstellar Solar",
        "Rocket Starship Astronaut Planet",
    ),
    "love": (
        "Romance",
        "Loving Tender Romantic Sweet Passionate Beloved Charming Blushing",
        "Wedding Kiss Bride Honeymoon",
    ),
    "west": (
        "Western",
        "Dusty Outlaw Lonesome Wild Frontier Gunslinging Rugged Prairie",
        "Cowboy Saloon Sheriff Ranch",
    ),
    "magic": (
        "Fantasy",
        "Magical Enchanted Mystic Bewitched Fairy Spellbound Charmed Arcane",
        "Wizard Sorcerer Dragon Witch",
    ),
    "sea": (
        "Adventure",
        "Sunken Nautical Stormy Sailing Oceanic Drifting Seafaring Tidal",
        "Pirate Captain Shipwreck Submarine",
    ),
}


def generate(folder: Path) -> Path:
    """Write users.dat, movies.dat and ratings.dat into `folder`/demo, the same bytes on every machine."""
    target = folder / "demo"
    rng = np.random.default_rng(SEED)
    movies, theme, first_word = _movies(rng)
    lines = {"movies.dat": movies, "users.dat": _users(rng), "ratings.dat": _ratings(rng, theme, first_word)}
    texts = {name: "".join(of_file).encode("latin-1") for name, of_file in lines.items()}
    present = [target / name for name in texts if (target / name).exists()]
    other = [path for path in present if not path.is_file() or path.read_bytes() != texts[path.name]]
    if other:
        raise ValueError(f"{other[0]} is not what is generated here. Move it, or give another --raw_folder.")
    if len(present) < len(texts):
        with writing_folder(target, RAW_CORPUS) as temporary:
            for name, text in texts.items():
                (temporary / name).write_bytes(text)
    return target


def _movies(rng: np.random.Generator) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Lines of movies.dat, and the theme and the first word of each movie, as codes. Movie ids have gaps, as the real ones do."""
    titled = [
        (f"{first} {second}", genre, theme, first)
        for theme, (genre, first_words, second_words) in enumerate(THEMES.values())
        for first in first_words.split()
        for second in second_words.split()
    ]
    titled = [titled[i] for i in rng.permutation(len(titled))]
    lines = [f"{2 * i + 1}::{title}::{genre}\n" for i, (title, genre, _, _) in enumerate(titled)]
    _, first_word = np.unique([first for *_, first in titled], return_inverse=True)
    return lines, np.array([theme for *_, theme, _ in titled]), first_word


def _users(rng: np.random.Generator) -> list[str]:
    ages = rng.choice(list(ml1m.AGES), USERS)
    return [
        f"{user + 1}::{'MF'[rng.integers(2)]}::{ages[user]}::{rng.integers(len(ml1m.OCCUPATIONS))}::{rng.integers(10_000, 99_999)}\n"
        for user in range(USERS)
    ]


def _ratings(rng: np.random.Generator, theme: np.ndarray, first_word: np.ndarray) -> list[str]:
    movies, themes = len(theme), len(THEMES)
    taste = rng.permuted(np.tile(np.repeat([-1.0, 1.0], [themes - themes // 2, themes // 2]), (USERS, 1)), axis=1)
    quality = rng.normal(0, 0.8, first_word.max() + 1)[first_word]
    lines = []
    for user in range(USERS):
        rated = rng.choice(movies, rng.integers(RATINGS_PER_USER[0], RATINGS_PER_USER[1] + 1), replace=False)
        stars = 3.1 + 1.2 * taste[user, theme[rated]] + quality[rated] + rng.normal(0, 0.5, len(rated))
        stars = np.clip(np.rint(stars), 1, 5).astype(int)
        joined = FIRST_SECOND + rng.integers(0, 90_000)
        seconds = joined + np.cumsum(rng.exponential(SECONDS_BETWEEN_RATINGS, len(rated))).astype(int)
        lines += [f"{user + 1}::{2 * m + 1}::{r}::{t}\n" for m, r, t in zip(rated, stars, seconds, strict=True)]
    return lines


CORPUS: Corpus = replace(
    ml1m.CORPUS,
    id="demo",
    name="ReLLa demo",
    summary=f"Invented ratings of invented movies by {USERS} invented users, generated from seed {SEED}.",
    licence="apache-2.0",
    terms="Generated by this project; free to use under the Apache License 2.0.",
    terms_url="https://www.apache.org/licenses/LICENSE-2.0",
    may_be_redistributed=True,
    citation="",
    divergences=(),
    archive=None,
    generate=generate,
    tasks=("by_time", "next_item", "leave_one_out"),
    expected_rows={},
    expected_bytes={},
)

"""How like the official archive another one is: what is known of the one, held against what was read of the other."""

from __future__ import annotations

from collections.abc import Mapping

from rella_hub.corpora import Corpus
from rella_hub.corpora.raw.archive import RawFiles
from rella_hub.tables import store


def likeness(corpus: Corpus, counts: Mapping[str, int], raw: RawFiles) -> str:
    """In sentences, or nothing where nothing is known. counts: by the names that `Corpus.expected_rows` has."""
    if not corpus.expected_rows:
        return ""
    differing = differing_counts(corpus, counts)
    if differing:
        unlike = [f"{got:,} {_in_words(name)} (officially {rows:,})" for name, (got, rows) in differing.items()]
        return f"Not as in the official archive: {', '.join(unlike)}."
    rows = f"Its numbers of {_enumerated([_in_words(name) for name in corpus.expected_rows])} are the official ones"
    lengths = {name: (raw.size(name), official) for name, official in corpus.expected_bytes.items()}
    longer = [
        f"{name} has {got:,} bytes, officially {official:,}"
        for name, (got, official) in lengths.items()
        if got != official
    ]
    if longer:
        return f"{rows}, the lengths of its files are not: {'; '.join(longer)}."
    if lengths:
        return (
            f"{rows}, and so are the lengths of {_enumerated(list(lengths))}: what differs can only be single values."
        )
    return f"{rows}."


def differing_counts(corpus: Corpus, counts: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """name -> what was read and what the official archive has, where they differ."""
    return {name: (counts[name], rows) for name, rows in corpus.expected_rows.items() if counts[name] != rows}


def _in_words(name: str) -> str:
    return f"{name} samples" if name in store.SPLITS else name


def _enumerated(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]

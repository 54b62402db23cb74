"""SUBR, semantic user behavior retrieval: the K earlier behaviors with the item vectors closest to the target's, in history order.

For a user with behaviors i_0 ... i_{n-1} and a target at position p, these are the K largest of
``similarity(v[i_p], v[i_j]), j < p``. Equal similarities go to the more recent behavior. Source: ReLLa, section 3.2.

A user is answered whole: the similarities of all of that user's targets are a few matrix products, and the K largest of a
block of targets are found by one partial sort of integers that hold similarity and position together, so that the tie rule
costs nothing and cannot be forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.spatial.distance import cdist

from rella_hub.tables import store
from rella_hub.tables.keys import codes_of
from rella_hub.views import SIMILARITIES, Config, Histories, Loaded, View
from rella_hub.views.recency import latest

TARGETS_PER_BLOCK = 256  # (256, n) similarities and keys stay in the cache for all but the longest histories
_NEVER = np.iinfo(np.int64).min


def select(histories: Histories, config: Config, latest_shown: int = 0) -> np.ndarray:
    """(S, K) positions. The `latest_shown` last behaviors are shown in any case, and the rest is chosen of those before them."""
    return closest_distinct(
        histories.position,
        histories.start,
        histories.behaviors["vector_code"],
        histories.shared["vectors"],
        config.history_length,
        config.similarity,
        latest_shown,
    )


def load(folder: Path, config: Config) -> Loaded:
    """The vector of each interaction, found by item id, never by row number."""
    table = store.read(folder, config.vectors_table).sort_by("item_id").combine_chunks()
    vectors = table["vector"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
    if config.similarity != "cosine":  # the other distances are taken on the vectors as PCA gave them
        vectors = vectors * table["norm"].to_numpy()[:, None]
    item_id = store.read(folder, "interactions", columns=["item_id"])["item_id"].to_numpy()
    missing = "items have interactions but no item vector (run embed.py again)"
    code, distinct = distinct_vectors(vectors)
    return {"vector_code": code[codes_of(item_id, table["item_id"].to_numpy(), missing)]}, {"vectors": distinct}


def closest(
    position: np.ndarray,
    start: np.ndarray,
    item_code: np.ndarray,
    vectors: np.ndarray,
    history_length: int,
    similarity: str = "cosine",
) -> np.ndarray:
    """(S, K) positions for samples that stand sorted by user and position.

    position, start: (S,) of each sample, and the row where its user's interactions begin; item_code: (N,) row in `vectors`
    of each interaction; vectors: (I, D), of unit length for `cosine`.
    """
    code, distinct = distinct_vectors(vectors)
    return closest_distinct(position, start, code[item_code], distinct, history_length, similarity)


def closest_distinct(
    position: np.ndarray,
    start: np.ndarray,
    vector_code: np.ndarray,
    distinct: np.ndarray,
    history_length: int,
    similarity: str,
    latest_shown: int = 0,
) -> np.ndarray:
    """The same for interactions that are coded by `distinct_vectors` already, which many blocks of users can share."""
    positions = latest(position, history_length)  # right already wherever the whole history is shown
    chosen, closeness = history_length - latest_shown, _closeness(similarity)
    for samples in _users(start):
        rows = samples.start + np.flatnonzero(position[samples] > history_length)
        if len(rows):
            first = start[samples.start]
            behaviors = vector_code[first : first + position[rows[-1]] + 1]
            targets = position[rows]
            positions[rows, :chosen] = _select_for_user(
                behaviors, targets, targets - latest_shown, distinct, chosen, closeness
            )
    return positions


def distinct_vectors(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(I,) codes and (V, D) vectors: items with the very same vector get one code, so that they tie however a product rounds."""
    as_bytes = (
        np.ascontiguousarray(vectors).view(np.dtype((np.void, vectors.dtype.itemsize * vectors.shape[1]))).ravel()
    )
    _, first, code = np.unique(as_bytes, return_index=True, return_inverse=True)
    return code.astype(np.int32), vectors[first]


def _select_for_user(
    behaviors: np.ndarray,
    targets: np.ndarray,
    ends: np.ndarray,
    vectors: np.ndarray,
    history_length: int,
    closeness: Callable,
) -> np.ndarray:
    """(T, K) positions for the targets of one user, each of more than K behaviors before its end. behaviors: (n,) vector codes."""
    codes, column = np.unique(behaviors, return_inverse=True)
    history = vectors[
        codes
    ]  # (u, D): a vector seen twice is compared once, so its similarities are equal to the last bit
    chosen = np.empty((len(targets), history_length), dtype=np.int32)
    for first in range(0, len(targets), TARGETS_PER_BLOCK):
        block, end = (rows[first : first + TARGETS_PER_BLOCK] for rows in (targets, ends))  # (B,)
        earlier = end[-1]
        similarity = closeness(vectors[behaviors[block]], history)[:, column[:earlier]]  # (B, u) -> (B, earlier)
        chosen[first : first + len(block)] = _closest(similarity, end, history_length)
    return chosen


def _closest(similarity: np.ndarray, ends: np.ndarray, history_length: int) -> np.ndarray:
    """(B, K) ascending positions of the K largest of each row among the columns before `ends` (B,)."""
    columns = np.arange(similarity.shape[1], dtype=np.int64)
    bits = np.ascontiguousarray(similarity + np.float32(0)).view(np.int32)  # + 0 makes -0 and 0 one value
    ordered = bits ^ ((bits >> 31) & 0x7FFFFFFF)  # orders floats of both signs as integers
    keys = (ordered.astype(np.int64) << 32) | columns  # similarity first, then recency
    keys[columns >= ends[:, None]] = _NEVER
    keys.partition(keys.shape[1] - history_length, axis=1)
    closest = (keys[:, -history_length:] & 0xFFFFFFFF).astype(np.int32)
    closest.sort(axis=1)
    return closest


def _closeness(similarity: str) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """(B, D), (u, D) -> (B, u) float32, larger is closer; equal in order to the named similarity along a row."""
    if similarity in ("cosine", "inner_product"):  # they differ in the vectors they are given: of unit length or not
        return lambda targets, history: targets @ history.T
    if similarity == "l2":  # -|x - y|^2 = 2 x.y - |y|^2 - |x|^2, and |x|^2 is the same for the whole row
        return lambda targets, history: 2 * (targets @ history.T) - np.einsum("ud,ud->u", history, history)
    if similarity == "l1":
        return lambda targets, history: -cdist(targets, history, "cityblock").astype(np.float32)
    raise ValueError(f"There is no similarity {similarity!r}. Expected one of {', '.join(SIMILARITIES)}.")


def _users(start: np.ndarray) -> list[slice]:
    """The slices of samples that belong to one user each."""
    bounds = np.flatnonzero(np.r_[True, start[1:] != start[:-1], True]) if len(start) else np.array([0])
    return [slice(begin, end) for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)]


VIEW = View(
    sentence="with the {item}s closest in meaning to the one in question (semantic user behavior retrieval)",
    select=select,
    needs=("interactions", "item_vectors"),
    load=load,
)

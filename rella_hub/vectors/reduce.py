"""Reduce item vectors by PCA, to the same numbers on every run. Source: ReLLa, section 3.2 and appendix D.3 (512 dimensions)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.linalg import eigh
from sklearn.decomposition import PCA

WHOLE = (
    1 << 26
)  # numbers up to which the vectors are decomposed at once: half a gigabyte in float64, and as much again for the result
BLOCK = 1 << 22  # numbers of a block of larger ones


def reduce(vectors: np.ndarray, dimension: int) -> np.ndarray:
    """(I, min(dimension, width, I)) centered principal components of (I, width).

    The sign of a component is arbitrary; here its largest loading is positive, so that it does not depend on the solver. Many wide
    vectors are read block by block, in memory of width² beside the result: the same components to six digits.
    """
    kept = min(dimension, *vectors.shape)
    if vectors.size > WHOLE:
        return _by_covariance(vectors, kept)
    pca = PCA(n_components=kept, svd_solver="full")
    return (pca.fit_transform(vectors.astype(np.float64)) * _signs(pca.components_)).astype(np.float32)


def _by_covariance(vectors: np.ndarray, kept: int) -> np.ndarray:
    width = vectors.shape[1]
    mean = vectors.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((width, width))
    for _, centered in _blocks(vectors, mean):
        covariance += centered.T @ centered
    _, columns = eigh(covariance, subset_by_index=[width - kept, width - 1])
    components = columns.T[::-1]  # (kept, width), the largest variance first
    components = components * _signs(components)[:, None]
    reduced = np.empty((len(vectors), kept), dtype=np.float32)
    for begin, centered in _blocks(vectors, mean):
        reduced[begin : begin + len(centered)] = centered @ components.T
    return reduced


def _blocks(vectors: np.ndarray, mean: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Some rows at a time, centered, in float64, each block with the number of its first row."""
    rows = max(1, BLOCK // vectors.shape[1])
    for begin in range(0, len(vectors), rows):
        yield begin, vectors[begin : begin + rows] - mean


def _signs(components: np.ndarray) -> np.ndarray:
    """(D,) the sign of the largest loading of each component (D, width)."""
    largest = np.abs(components).argmax(axis=1)
    return np.sign(components[np.arange(len(components)), largest])


def normalize(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors (I, D) and the lengths they had (I,). ValueError for a vector of length zero."""
    norms = np.linalg.norm(vectors, axis=1)
    if not (norms > 0).all():
        raise ValueError(
            f"{int((norms == 0).sum())} item vectors have length zero, so they point nowhere; the encoder tells no items apart."
        )
    return vectors / norms[:, None], norms

"""Reduce item vectors by PCA, to the same numbers on every run. Source: ReLLa, section 3.2 and appendix D.3 (512 dimensions)."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA


def reduce(vectors: np.ndarray, dimension: int) -> np.ndarray:
    """(I, min(dimension, width, I)) centered principal components of (I, width).

    The sign of a component is arbitrary; here its largest loading is positive, so that it does not depend on the solver.
    """
    kept = min(dimension, *vectors.shape)
    pca = PCA(n_components=kept, svd_solver="full")
    reduced = pca.fit_transform(vectors.astype(np.float64))
    largest = np.abs(pca.components_).argmax(axis=1)
    return (reduced * np.sign(pca.components_[np.arange(kept), largest])).astype(np.float32)


def normalize(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors (I, D) and the lengths they had (I,). ValueError for a vector of length zero."""
    norms = np.linalg.norm(vectors, axis=1)
    if not (norms > 0).all():
        raise ValueError(
            f"{int((norms == 0).sum())} item vectors have length zero, so they point nowhere; the encoder tells no items apart."
        )
    return vectors / norms[:, None], norms

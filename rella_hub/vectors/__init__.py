"""Item vectors: encode descriptions, reduce by PCA, normalize."""

"""How the p of a test is printed: so that it is never zero."""

from __future__ import annotations


def p_text(p: float) -> str:
    """Four digits, or a power of ten where these would be 0."""
    if p >= 1e-3:
        return f"{p:.4f}"
    return f"{p:.1e}" if p >= 1e-300 else "< 1e-300"

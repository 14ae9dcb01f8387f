"""How sentences about an experiment write their numbers: one way for decisions, trust checks and caveats."""

from __future__ import annotations

__all__ = ["p_in_words"]


def p_in_words(p: float) -> str:
    """A p-value with its letter, two significant digits, and no more of them than a test can hold.

    Args:
        p: 0 … 1.

    Example:
        >>> p_in_words(0.0123), p_in_words(0.0001), p_in_words(0.00009), p_in_words(0.0)
        ('p = 0.012', 'p = 0.0001', 'p < 0.0001', 'p < 0.0001')
    """
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"

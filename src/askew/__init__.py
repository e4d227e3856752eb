"""askew: ask a skewed supervisor the questions that straighten the student."""

__version__ = "0.1.0"

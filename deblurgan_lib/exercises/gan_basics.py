"""Exercises of this lesson."""

from .exercise import Exercise

EXERCISES: dict[str, Exercise] = {}

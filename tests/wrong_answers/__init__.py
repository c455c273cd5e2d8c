"""Plausible wrong answers, written as a learner might, one file a lesson.

Each file has `WRONG`: from the name of an exercise to a list of (answer, what the message says).
"""

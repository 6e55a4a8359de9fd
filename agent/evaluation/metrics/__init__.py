"""Metrics: spans, ranking, multiple choice, abstention, keyframes, and resampling for intervals.

Start reading with `scoring`, which applies all metrics to one run.
"""

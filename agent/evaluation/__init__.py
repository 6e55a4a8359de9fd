"""Evaluation: data sets, metrics, baselines and runs, so that a score can be made again by others."""

"""Evaluation: data sets, metrics, systems and runs, so that others can reproduce a score.

The product never imports this package.
Start reading with `harness`.
"""

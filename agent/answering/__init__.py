"""Answering: from a plan to claims with citations.

Quotes, counts, order and summaries are computed here; `compose` asks a language model.
Start reading with `evidence`, then `quotes`.
"""

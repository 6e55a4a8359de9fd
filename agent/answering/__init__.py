"""Answering: from a plan to claims with citations.

Evidence is retrieved, scored by the reader, and quoted here; `computed` counts, orders and locates. A language model
writes in `agent/composing`. Start reading with `retrieval`, then `ranking` and `quotes`.
"""

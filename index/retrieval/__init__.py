"""Retrieval: search by words (SQLite FTS5) and by meaning (FAISS), with scores that are added.

`lexical` ranks by words, `vectors` finds the nearest vectors, `search_index` keeps both on disk. Which evidence answers
a question is decided in `agent/answering`. Start reading with `search`.
"""

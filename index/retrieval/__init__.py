"""Retrieval: search by words (SQLite FTS5) and by meaning (FAISS), fused by rank.

Everything here is derived from the committed videos and can be built again.
Start reading with `search`.
"""

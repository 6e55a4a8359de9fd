"""Indexing: one video from its file to a commit.

Decoding and models live in `tools`; committed files live in `index.storage`.
Start reading with `build`, then `jobs`, then `extraction`.
"""

"""Storage: committed videos, on disk or at a URL.

A video is one folder. It is written elsewhere and published in one step.
Search structures are derived from it and live in `index.retrieval`.
Start reading with `store`.
"""

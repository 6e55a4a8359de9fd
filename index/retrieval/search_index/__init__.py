"""The search index on disk, made from the committed videos: terms and rows in one SQLite file, vectors beside it.

Only `publishing` writes it. Readers get snapshots, which change nothing. Start reading with `publishing`.
"""

"""Sources: brings videos from pages, feeds and object storage into a folder, with what the source says about them.

Nothing is fetched unless a URL is given. Indexing, and folders that are already here, do not belong here.
Start reading with `fetching`, then `web` (the only module that imports yt-dlp) and `objects`.
"""

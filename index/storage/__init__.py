"""Storage: committed videos, on a disk or below a URL.

A video is written in a staging folder and published in one step. Every stored file has a checksum. The search index is
made from the committed videos and lives in `index.retrieval`. Start reading with `backend` (the interface), then `local`
and `url`; `committed` has the files of one video, `files` reads and writes bytes.
"""

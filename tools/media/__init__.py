"""Media files: containers, frames, audio, subtitles, and metadata; `skimming` finds where the picture may change.

Every time is in seconds from the container's timestamps. Models do not belong here.
Start reading with `container`, the only module that imports PyAV, then `frames`.
"""

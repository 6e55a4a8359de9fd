"""Localization: when and where inside a video.

Spans from similarities, temporal search, choice of frames, chapters, relations between boxes.
Nothing here reads files or calls a model.
Start reading with `grounding`.
"""

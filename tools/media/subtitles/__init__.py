"""Subtitles next to a video and inside its container, as speech observations.

`choice` decides which subtitles replace the transcript, and lists the others. `files` reads a file next to a video,
`embedded` reads a track inside it. `cues` parses SubRip and WebVTT, also with common errors. `encoding` detects the text
encoding of a file.
"""

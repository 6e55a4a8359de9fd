"""Subtitles beside a video and inside its container, as speech observations.

`choice` decides which subtitles count as the transcript, and names the others. `files` reads a file beside a video,
`embedded` reads a track inside it. `cues` parses SubRip and WebVTT, which people and tools write loosely. `encoding` finds
out how a file's bytes are to be read.
"""

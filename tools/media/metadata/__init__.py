"""Metadata: what a file, or a sidecar beside it, says about a video: title, date, channel, tags, chapters.

It does not know what the video shows or says, and nothing of the index. Start reading with `records`, then `reading`.
"""

"""Who appears in a library: voices and faces that are the same in several videos, their names, and where a name is introduced.

What belongs elsewhere: how a voice becomes a vector (`tools.embedding`), and who speaks when in one video
(`tools.extractors.speakers`). Start with `known`.
"""

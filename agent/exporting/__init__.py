"""Takes moments and results out of a library: clips, contact sheets, subtitles, tables, edit lists, notes, bundles.

Everything here reads a `Library` and writes a file or returns text; nothing here searches by itself or draws on a
terminal. Start reading with `formats`.
"""

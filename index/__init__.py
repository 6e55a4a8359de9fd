"""The index: observations of videos are extracted, stored, retrieved and localized in time.

- `indexing`: one video from its file to a commit.
- `storage`: committed videos on disk or at a URL.
- `retrieval`: search by words and by meaning.
- `people`: voices across videos, and their names.
- `localization`: spans, temporal search, frames, chapters, places in the picture.
"""

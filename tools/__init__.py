"""Media, extractors and models. Nothing here knows the index.

- `media`: opens files and decodes pictures and sound.
- `extractors`: turns media into observations.
- `embedding`: turns texts and pictures into unit vectors.
- `llm`: asks a language model, with or without pictures.

The modules in this folder are shared by all four packages: records, errors, settings, weights, device, background, words.
"""

"""Playhead: ask questions about hour-long videos; get answers that cite the second."""

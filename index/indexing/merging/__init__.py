"""Merging: observations of successive segments become one observation, such as a line of text or a tracked object.

Reading frames by models does not belong here. Start reading with `merges`, then `tracks` and `text_lines`.
"""

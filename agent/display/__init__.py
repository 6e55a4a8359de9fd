"""Display: answers, evidence and progress for people, in a terminal, a notebook and an HTML file.

Text from videos and models is data here: it is never interpreted as markup.
Start reading with `tables` (terminal) or `notebook`.
"""

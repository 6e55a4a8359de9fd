"""Display: answers, evidence and progress for people, in a terminal and in a notebook.

Text from videos and models is data here: it is never interpreted as markup.
Start reading with `answers`.
"""

"""What a language model writes from evidence: answers, summaries, titles, rows of a form; and what it reads for that.

What the model is and how it is run is in `tools/llm`. Which claims are kept is decided in `graph`. Answers without a model
are in `answering`. Start reading with `compose`.
"""

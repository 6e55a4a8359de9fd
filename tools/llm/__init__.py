"""Language models: one protocol, several backends, structured output.

What a model is asked, and when, is decided in `agent`.
Start reading with `protocol`.
"""

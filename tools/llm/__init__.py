"""Language models: one protocol, several backends, structured output.

The prompts, and when to send them, belong to `agent`.
Start reading with `protocol`.
"""

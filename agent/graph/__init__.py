"""The LangGraph graph: state, nodes, wiring, events, threads and budgets.

Nodes call `question`, `answering` and `looking`; they hold no logic of their own.
Start reading with `wiring`.
"""

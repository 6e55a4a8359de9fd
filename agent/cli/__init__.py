"""The command line: parse options, call `agent.library`, print.

One module for each group of commands: `asking`, `libraries` (index, list, show, …), `checking` (doctor, serve).
What is printed is drawn in `agent.display`. Start reading with `main`.
"""

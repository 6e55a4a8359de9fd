"""The command line: parse options, call `agent.library`, print.

`commands` has one module for each group of commands. What is printed is drawn in `agent.display`.
Start reading with `main`.
"""

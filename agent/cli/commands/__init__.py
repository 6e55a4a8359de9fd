"""The commands: one module for each group, one function for each command.

A command parses, calls `agent.library`, and prints through `agent.display`. Flags that several commands share are in
`options`, places and filters in `places`. `main` lists all commands. Start reading with `asking`.
"""

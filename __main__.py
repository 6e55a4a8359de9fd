"""Run the `playhead` command as `python -m playhead`."""

# Not relative: type checkers that run in this folder take this file for the module `__main__`, which is in no package.
from playhead.agent.cli.main import main

main()

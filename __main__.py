"""Run the `playhead` command as `python -m playhead`."""

from .agent.cli.main import main

main()

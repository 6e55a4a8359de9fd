"""Shows answers in a notebook: registers the display of each record with IPython."""

import sys

from ..records import Answer
from .answers import answer_markdown

__all__ = ["register"]


def register() -> None:
    """Register the records' displays with the running IPython shell; do nothing outside IPython."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        shell.display_formatter.formatters["text/markdown"].for_type(Answer, answer_markdown)

"""The SDK: a `Library` indexes, searches and asks the videos of one folder. Every other interface calls it.

Each module holds the methods of one job. What they call is in `index` and in the other packages of `agent`; nothing is
computed here, and nothing is printed. Start reading with `opening`, then `asking`.
"""

from .conversations import Conversations
from .exporting import Exporting
from .indexing import Indexing
from .speakers import Speakers

__all__ = ["Library"]


class Library(Indexing, Speakers, Conversations, Exporting):
    """The indexed videos of one folder.

    Example:
        >>> library = Library("talks")
        >>> library.index("talks")
        >>> print(library.ask("What does the speaker say about the budget?"))
    """

"""Playhead: ask questions about hour-long videos; get answers that cite the second."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .agent.library import Library
    from .agent.records import Answer, Citation, Claim, Turn
    from .index.records import Evidence
    from .tools.errors import PlayheadError
    from .tools.records import Span
    from .tools.settings import Settings

__all__ = ["Answer", "Citation", "Claim", "Evidence", "Library", "PlayheadError", "Settings", "Span", "Turn"]

_HOMES = {
    "Answer": "agent.records",
    "Citation": "agent.records",
    "Claim": "agent.records",
    "Evidence": "index.records",
    "Library": "agent.library",
    "PlayheadError": "tools.errors",
    "Settings": "tools.settings",
    "Span": "tools.records",
    "Turn": "agent.records",
}


def __getattr__(name: str) -> Any:
    """Load a public name at its first use: `import playhead` itself stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)

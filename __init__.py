"""Playhead: ask questions about hour-long videos; get answers that cite the second."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .agent.answering.summary import Chapter as Chapter
    from .agent.graph import events as events
    from .agent.library import Library as Library
    from .agent.looking.moments import Moment as Moment
    from .agent.records import Answer as Answer
    from .agent.records import Citation as Citation
    from .agent.records import Claim as Claim
    from .index.records import Evidence as Evidence
    from .tools import errors as errors
    from .tools.settings import Settings as Settings

    __version__: str

_MODULES = {
    "Answer": "agent.records",
    "Chapter": "agent.answering.summary",
    "Citation": "agent.records",
    "Claim": "agent.records",
    "Evidence": "index.records",
    "Library": "agent.library",
    "Moment": "agent.looking.moments",
    "Settings": "tools.settings",
    "errors": "tools.errors",
    "events": "agent.graph.events",
}

__all__ = [
    "Answer",
    "Chapter",
    "Citation",
    "Claim",
    "Evidence",
    "Library",
    "Moment",
    "Settings",
    "__version__",
    "errors",
    "events",
]


def __getattr__(name: str) -> Any:
    """Load a public name at its first use, so that `import playhead` stays light."""
    if name == "__version__":
        from importlib.metadata import version

        return version("playhead")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f".{_MODULES[name]}", __name__)
    return module if name in ("errors", "events") else getattr(module, name)


def __dir__() -> list[str]:
    """List the public names, and nothing else."""
    return __all__

"""One root error. Each message says what was given, what is allowed, and what to do next."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .llm.protocol import TokenUsage

__all__ = [
    "AnswerFormatError",
    "FleetError",
    "LibraryError",
    "MediaError",
    "MissingExtraError",
    "PicturesRefusedError",
    "PlayheadError",
    "QueryError",
    "RequestTooLongError",
    "ServerError",
    "SettingsError",
    "WeightsError",
]


class PlayheadError(Exception):
    """Root of all errors that Playhead raises on purpose."""


class MediaError(PlayheadError):
    """A file cannot be read as video or sound."""


class WeightsError(PlayheadError):
    """A model's weights cannot be had, or are not the ones expected."""


class MissingExtraError(PlayheadError):
    """A library that an optional part needs is not installed."""

    def __init__(self, part: str, module: str, extra: str) -> None:
        super().__init__(part, module, extra)  # as given: errors travel between processes

    def __str__(self) -> str:
        part, module, extra = self.args
        return f"{part} needs the Python module {module!r}, which is not installed: pip install 'playhead[{extra}]'"


class SettingsError(PlayheadError):
    """A setting is unknown or has a value that is not allowed."""


class LibraryError(PlayheadError):
    """A library on disk cannot be read or written."""


class FleetError(PlayheadError):
    """The machines of a cluster did not do what they were asked, after some tries."""


class QueryError(PlayheadError):
    """A question or a filter cannot be understood."""


class ServerError(PlayheadError):
    """The video-LLM server did not answer, or answered something unusable."""


class PicturesRefusedError(ServerError):
    """The model takes no pictures, or fewer than it was sent: ask again with fewer."""


class RequestTooLongError(ServerError):
    """The request does not fit into the model's context: ask again with less."""


class AnswerFormatError(ServerError):
    """The video LLM answered, but not in the form asked for.

    Attributes:
        usage: What its answers cost, where that is known.
    """

    def __init__(self, message: str, usage: "TokenUsage | None" = None) -> None:
        super().__init__(message)
        self.usage = usage

"""One root error. Each message says what was given, what is allowed, and what to do next."""

import importlib.util
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
    """A model's weights are not available, or are not the expected ones."""


class MissingExtraError(PlayheadError):
    """A library that an optional part needs is not installed."""

    def __init__(self, part: str, module: str, extra: str) -> None:
        super().__init__(part, module, extra)  # the same arguments, so that the error can be pickled between processes

    def __str__(self) -> str:
        part, module, extra = self.args
        return f"{part} needs the Python module {module!r}, which is not installed: pip install 'playhead[{extra}]'"

    @classmethod
    def raise_if_missing(cls, part: str, *modules: str, extra: str) -> None:
        """Raise this error if a module is not installed; nothing is imported."""
        for module in modules:
            if importlib.util.find_spec(module) is None:
                raise cls(part, module, extra)


class SettingsError(PlayheadError):
    """A setting is unknown or has a value that is not allowed."""


class LibraryError(PlayheadError):
    """A library on disk cannot be read or written."""


class AmbiguousNameError(LibraryError):
    """A name fits several videos of a library.

    Attributes:
        video_ids: Their ids.
    """

    def __init__(self, message: str, video_ids: tuple[str, ...]) -> None:
        super().__init__(message, video_ids)  # the same arguments, so that the error can be pickled between processes
        self.video_ids = video_ids

    def __str__(self) -> str:
        return str(self.args[0])


class FleetError(PlayheadError):
    """The machines of a cluster failed a request, also after retries."""


class QueryError(PlayheadError):
    """A question or a filter cannot be understood."""


class ServerError(PlayheadError):
    """The video-LLM server did not answer, or answered something unusable."""


class PicturesRefusedError(ServerError):
    """The model accepts no pictures, or fewer than were sent. Retry with fewer."""


class RequestTooLongError(ServerError):
    """The request does not fit into the model's context. Retry with a shorter one."""


class AnswerFormatError(ServerError):
    """The video LLM answered, but not in the requested format.

    Attributes:
        usage: The tokens of its answers; None if not known.
    """

    def __init__(self, message: str, usage: "TokenUsage | None" = None) -> None:
        super().__init__(message)
        self.usage = usage

"""Fetches from web pages, playlists, channels, feeds and media URLs. Only this module imports yt-dlp.

Only `http` and `https` are requested, whatever a page or a playlist names. Everything that a source says is untrusted.
"""

import json
import logging
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ...tools.errors import MissingExtraError, PlayheadError
from ...tools.media.languages import language_code
from ...tools.records import clean_text, clock
from .downloads import Downloads
from .records import Fetched, FetchLimits, FetchProgress

__all__ = ["WebSource"]

_log = logging.getLogger(__name__)

# 720 lines are enough for text on slides; without FFmpeg's program, pictures and sound cannot be joined.
_FORMAT = "b[height<=720]/b"
_JOINED = f"bv*[height<=720]+ba/{_FORMAT}/bv*+ba"
_PROTOCOLS = ("http", "https", "m3u8", "m3u8_native", "http_dash_segments")
_MOST_NESTED = 3  # a channel holds playlists, which hold videos
_SUBTITLES = ("vtt", "srt", "ass", "ttml")
_MOST_SUBTITLES = 20
_LONGEST_REASON = 300
_LISTS = ("playlist", "multi_video")
# yt-dlp appends this to addresses, to pass values from one extractor to the next.
_SMUGGLED = "#__youtubedl_smuggle"
_FAILURES = "playhead_failures"
# What is kept of yt-dlp's information: no addresses of servers, no keys.
_KEPT = (
    "id", "title", "fulltitle", "channel", "uploader", "creator", "artist", "upload_date", "release_date", "tags",
    "categories", "genres", "description", "webpage_url", "location", "chapters", "duration", "language", "extractor",
)  # fmt: skip


class SourceError(PlayheadError):
    """A video of a source cannot be fetched."""


class WebSource:
    """One page, playlist, channel, feed or media file on the web."""

    def __init__(
        self, downloads: Downloads, limits: FetchLimits, language: str | None, progress: FetchProgress
    ) -> None:
        """Prepare.

        Args:
            downloads: Where files go.
            limits: What is fetched at most.
            language: ISO 639-1: subtitles of this language are fetched, too, if only a program wrote them.
            progress: Called while bytes arrive.

        Raises:
            MissingExtraError: yt-dlp is not installed.
        """
        self._downloads, self._limits, self._language, self._report = downloads, limits, language, progress
        _ = self._yt_dlp

    def fetch(self, url: str, *, force: bool) -> Iterator[Fetched]:
        """Fetch what a URL means; yield one outcome for each video. None of them stops the others.

        Args:
            url: With `http` or `https`.
            force: Fetch again what was fetched before.
        """
        if not force and (path := self._downloads.known(url)):
            yield _known(url, path)
            return
        left = _Remaining(self._limits.count)
        yield from self._walk({"_type": "url", "url": url}, url, left, force)
        if left.skipped:
            yield Fetched(url, "skipped", detail=f"the rest of {url}: the limit is {self._limits.count}")

    def _walk(
        self, found: Mapping[str, Any], url: str, left: "_Remaining", force: bool, depth: int = 0
    ) -> Iterator[Fetched]:
        """The outcome of one video, or of each video of a playlist."""
        address = str(found.get("webpage_url") or found.get("url") or url).partition(_SMUGGLED)[0]
        title = clean_text(str(found.get("title") or ""))
        try:
            if found.get("_type") in _LISTS:
                yield from self._listed(found, address, left, force, depth)
            elif found.get("_type") in ("url", "url_transparent"):
                if depth and not force and (path := self._downloads.known(address)):
                    left.count_one()
                    yield _known(address, path, title)
                    return
                _check_scheme(address)
                resolved = self._resolved(found, depth)
                yield from self._walk(resolved, address, left, force, depth)
            else:
                left.count_one()
                yield self._fetched(found, title, address, url, force)
        except SourceError as error:
            yield Fetched(address, "failed", title, detail=str(error))

    def _listed(
        self, found: Mapping[str, Any], url: str, left: "_Remaining", force: bool, depth: int
    ) -> Iterator[Fetched]:
        if depth == _MOST_NESTED:
            raise SourceError(f"{url} holds playlists in playlists: give the URL of one of them")
        entries = [entry for entry in found.get("entries") or () if entry]
        failures: list[Fetched] = [Fetched(url, "failed", detail=one) for one in found.get(_FAILURES) or ()]
        if not entries and not failures:
            raise SourceError(f"{url} holds no videos")
        yield from failures
        for entry in entries:
            if left.is_used_up:
                left.skipped = True
                return
            yield from self._walk(entry, url, left, force, depth + 1)

    def _resolved(self, found: Mapping[str, Any], depth: int) -> dict[str, Any]:
        if depth == 0:
            url = found["url"]
            return self._asked(lambda loader: loader.extract_info(url, download=False), {"ignoreerrors": True})
        return self._asked(lambda loader: loader.process_ie_result(dict(found), download=False))

    def _fetched(self, video: Mapping[str, Any], title: str, address: str, given: str, force: bool) -> Fetched:
        """Fetch one video, if it is not known and within the limits."""
        key = _key(video)
        if not force and (path := self._downloads.known(address, key)):
            return _known(address, path, title)
        if reason := self._why_skipped(video):
            return Fetched(address, "skipped", title, detail=reason)
        path = self._download(dict(video), title, address)
        self._downloads.remember(path, address, address, key, given)
        return Fetched(address, "fetched", title, path)

    def _why_skipped(self, video: Mapping[str, Any]) -> str:
        """The limit that a video exceeds; empty: it does not.

        Raises:
            SourceError: It is a live stream.
        """
        if video.get("is_live") or video.get("live_status") in ("is_live", "is_upcoming"):
            raise SourceError("it is a live stream: `playhead live URL` indexes it while it runs")
        seconds, limits = video.get("duration"), self._limits
        if limits.seconds is not None and seconds is not None and seconds > limits.seconds:
            return f"it lasts {clock(seconds)[:-2]}, the limit is {clock(limits.seconds)[:-2]}"
        parts = video.get("requested_formats") or [video]
        sizes = [part.get("filesize") or part.get("filesize_approx") or 0 for part in parts]
        if limits.size is not None and sum(sizes) > limits.size:
            return f"it has {sum(sizes) / 1e6:.0f} MB, the limit is {limits.size / 1e6:.0f} MB"
        return ""

    def _download(self, video: dict[str, Any], title: str, address: str) -> Path:
        parts = video.get("requested_formats") or [video]
        for part in parts:
            if part.get("protocol") not in (None, *_PROTOCOLS):
                raise SourceError(f"it is served by {clean_text(str(part['protocol']))}, which is not fetched")
        tracks = self._subtitle_choice(video)
        with self._downloads.partial() as folder:
            changes = {
                "outtmpl": {"default": str(folder / "media.%(ext)s")},
                "writesubtitles": bool(tracks),
                "writeautomaticsub": "automatic" in tracks.values(),
                "subtitleslangs": [re.escape(name) for name in tracks],
            }
            done = self._asked(lambda loader: loader.process_ie_result(video, download=True), changes, title)
            media = max(_media_in(folder), key=lambda file: file.stat().st_size, default=None)
            if media is None:
                limit = self._limits.size
                raise SourceError("nothing arrived" + (f": it may exceed the limit of {limit} bytes" if limit else ""))
            info = folder / "kept.info.json"
            kept = {name: done.get(name) for name in _KEPT if done.get(name) is not None}
            info.write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
            beside = [(info, ".info.json"), *self._tracks(done, tracks)]
            return self._downloads.place(media, beside, title, str(video.get("id") or address))

    def _subtitle_choice(self, video: Mapping[str, Any]) -> dict[str, str]:
        """The subtitle tracks to fetch, by their name at the source: `written` by people, or `automatic`.

        All written ones are fetched; an automatic one only in the video's own language or the one of the settings, and
        only where that language has no written one.
        """
        written = {name for name in video.get("subtitles") or {} if name != "live_chat"}
        chosen = dict.fromkeys(sorted(written)[:_MOST_SUBTITLES], "written")
        have = {language_code(name.partition("-")[0]) for name in written}
        wanted = {language_code(one.partition("-")[0]) for one in (self._language, video.get("language")) if one}
        automatic = sorted(video.get("automatic_captions") or {}, key=lambda name: (not name.endswith("-orig"), name))
        for name in automatic:
            code = language_code(name.partition("-")[0])
            is_own = name.endswith("-orig") or code in wanted
            if code and is_own and code not in have:
                chosen[name] = "automatic"
                have.add(code)
        return chosen

    def _tracks(self, done: Mapping[str, Any], tracks: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
        """Each subtitle file that arrived, with the suffix that names its language and whether a program wrote it."""
        for name, track in (done.get("requested_subtitles") or {}).items():
            path = Path(str(track.get("filepath") or ""))
            language = re.sub(r"[^a-z0-9-]", "", name.removesuffix("-orig").lower())[:20] or "und"
            if path.is_file() and path.suffix[1:] in _SUBTITLES:
                kind = ".auto" if tracks.get(name) == "automatic" else ""
                yield path, f".{language}{kind}{path.suffix}"

    def _asked(self, ask: Any, changes: Mapping[str, Any] | None = None, title: str = "") -> dict[str, Any]:
        """Run one request of yt-dlp.

        Raises:
            SourceError: It failed; the message says what to do.
        """
        messages = _Messages()
        try:
            with self._loader(self._options(messages, title) | dict(changes or {})) as loader:
                found = ask(loader)
        except Exception as error:
            raise SourceError(_reason(error)) from error
        failures = [_reason(error) for error in messages.failures]
        if not isinstance(found, dict):
            raise SourceError(failures[-1] if failures else "no video is found there")
        return found | ({_FAILURES: failures} if failures else {})

    def _options(self, messages: "_Messages", title: str) -> dict[str, Any]:
        def hook(state: Mapping[str, Any]) -> None:
            total = state.get("total_bytes") or state.get("total_bytes_estimate") or 0
            self._report(title, int(state.get("downloaded_bytes") or 0), int(total))
            if self._limits.size is not None and (state.get("downloaded_bytes") or 0) > self._limits.size:
                raise SourceError(f"more than {self._limits.size} bytes arrived, which is the limit")

        count = self._limits.count
        return {
            "quiet": True, "no_warnings": True, "noprogress": True, "color": "never", "logger": messages,
            "extract_flat": "in_playlist", "ignoreerrors": False, "cachedir": False, "fixup": "never",
            "playlistend": None if count is None else count + 1,
            "format": _JOINED if shutil.which("ffmpeg") else _FORMAT,
            "subtitlesformat": "/".join(_SUBTITLES), "hls_prefer_native": True,
            "external_downloader": {"default": "native"}, "retries": 3, "fragment_retries": 3,
            "skip_unavailable_fragments": False, "socket_timeout": 30, "nopart": True, "progress_hooks": [hook],
            "enable_file_urls": False, "overwrites": True, "max_filesize": self._limits.size,
        }  # fmt: skip

    @cached_property
    def _yt_dlp(self) -> Any:
        try:
            import yt_dlp
        except ModuleNotFoundError as error:
            raise MissingExtraError("fetching from the web", "yt_dlp", "url") from error
        return yt_dlp

    def _loader(self, options: dict[str, Any]) -> Any:
        class OnlyWeb(self._yt_dlp.YoutubeDL):  # type: ignore[misc,name-defined]
            """Requests nothing but `http` and `https`, also after a redirection."""

            def urlopen(self, request: Any) -> Any:
                _check_scheme(request if isinstance(request, str) else request.url)
                response = super().urlopen(request)
                _check_scheme(response.url)
                return response

        return OnlyWeb(options)


class _Messages:
    """Receives yt-dlp's messages, and keeps the errors that did not stop it."""

    def __init__(self) -> None:
        self.failures: list[BaseException] = []

    def debug(self, message: str) -> None:
        _log.debug("%s", message)

    info = warning = debug

    def error(self, message: str) -> None:
        self.failures.append(sys.exc_info()[1] or SourceError(message))


class _Remaining:
    """Counts videos against the limit of one URL."""

    def __init__(self, limit: int | None) -> None:
        self._limit, self._count, self.skipped = limit, 0, False

    @property
    def is_used_up(self) -> bool:
        return self._limit is not None and self._count >= self._limit

    def count_one(self) -> None:
        self._count += 1


def _known(url: str, path: Path, title: str = "") -> Fetched:
    detail = "" if path.exists() else f"{path.name} was fetched before and is gone: --force fetches it again"
    return Fetched(url, "known", title, path if path.exists() else None, detail)


def _key(video: Mapping[str, Any]) -> str:
    """The identity of a video at its site; the generic extractor knows only file names, which are not unique."""
    site = str(video.get("extractor_key") or "")
    return "" if site in ("", "Generic", "HTML5MediaEmbed") else f"{site} {video.get('id')}"


def _check_scheme(url: str) -> None:
    if urlsplit(url).scheme.lower() not in ("http", "https"):
        raise SourceError(f"{clean_text(url)[:_LONGEST_REASON]} is neither http nor https: not fetched")


def _media_in(folder: Path) -> list[Path]:
    return [file for file in folder.glob("media.*") if file.suffix[1:] not in (*_SUBTITLES, "part", "ytdl")]


def _reason(error: BaseException) -> str:
    """Why a request failed, and what to do, on one line."""
    causes: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and each not in causes:
        causes.append(each)
        inner = getattr(each, "exc_info", None)
        each = getattr(each, "cause", None) or (inner[1] if inner else None) or each.__cause__
    for one in causes:
        if isinstance(one, SourceError):
            return str(one)
        if status := getattr(one, "status", None):
            return f"the server answers {status}: {_STEPS.get(status, 'check the URL')}"
    names = {kind.__name__ for one in causes for kind in type(one).__mro__}
    text = re.sub(r"^(ERROR: )?(\[[\w:+-]+\] )?", "", clean_text(str(error))).partition("; please report")[0]
    text = text.partition(" (caused by")[0][:_LONGEST_REASON]
    if "TransportError" in names:
        return f"{text}: check the network and the address"
    if "UnsupportedError" in names:
        return "no video is found on this page: give the address of a video, playlist, feed or media file"
    if "GeoRestrictedError" in names:
        return f"{text}: it is not served to this country"
    return text


_STEPS = {
    401: "a login is needed, and Playhead has none",
    403: "it may be private, or need a login: check that a browser without one plays it",
    404: "it does not exist (any more): check the URL",
    410: "it does not exist any more",
    429: "too many requests: wait, and run again",
}

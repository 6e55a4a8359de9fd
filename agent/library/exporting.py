"""Takes moments and results out of a library: clips, transcripts, bundles."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ...tools.errors import QueryError
from ...tools.extractors.registry import find_modalities
from ...tools.media.clips import Clip, ClipStyle, copy_clip, write_clip, write_gif
from ...tools.records import Box, Modality
from ..exporting.bundles import MomentBundle, bundle
from ..exporting.formats import ExportFormat, exported, format_of
from ..exporting.named_moments import named_moment
from ..exporting.sheets import subtitles_drawn
from .searching import Searching

__all__ = ["Exporting"]


class Exporting(Searching):
    """Exports moments and results."""

    def moment(
        self, moment: str, *, frames: int = 4, crop: Box | None = None, width: int | None = None
    ) -> MomentBundle:
        """Return everything about a stretch of a video: speech, text, objects, its chapter, and frames.

        Args:
            moment: `talk.mp4@10:02-10:40`, `talk.mp4@10:02` (ten seconds from there), or an evidence id.
            frames: Number of frames, evenly spaced; 0: none.
            crop: Cut frames to this part of the picture.
            width: Scale frames down to this width in pixels.

        Raises:
            QueryError: The moment is not in one of these forms, or lies outside the video.
            LibraryError: The library holds no such video or evidence.
            MediaError: The video's file cannot be read.
        """
        return bundle(self, named_moment(self, moment), frames, crop, width)

    def clip(
        self, moment: str, target: Path | str, *, mode: Literal["exact", "fast"] = "exact", subtitles: bool = False
    ) -> Clip:
        """Cut a moment out of a video into a file. A target that ends with `.gif` becomes an animated GIF.

        Args:
            moment: `talk.mp4@10:02-10:40`, `talk.mp4@10:02` (ten seconds from there), or an evidence id.
            target: The file to write, e.g. `out.mp4`.
            mode: `exact` re-encodes: edges are exact to one frame. `fast` copies from the keyframe before the moment.
            subtitles: Draw what is said into the picture.

        Returns:
            The true start and end, and the number of frames.

        Raises:
            QueryError: The moment is not in one of these forms, or lies outside the video; or the options contradict.
            LibraryError: The library holds no such video or evidence.
            MediaError: The video's file cannot be read, or the target cannot be written.
        """
        named, path = named_moment(self, moment), Path(target)
        source = self.path_of(named.video)
        if any(path.exists() and one.exists() and path.samefile(one) for one in self.paths_of(named.video)):
            raise QueryError(f"{path} is the video itself: write the clip to another file")
        if path.suffix.lower() == ".gif":
            return write_gif(source, named.span, path, named.stream)
        if mode == "fast":
            if subtitles:
                raise QueryError("subtitles cannot be drawn into a copy: leave out subtitles, or cut exactly")
            return copy_clip(source, named.span, path, named.stream)
        draw = None
        if subtitles:
            rows = [row for row in self._opened().of_video(named.video.video_id, ["speech"]) if row.text]
            draw = subtitles_drawn(rows)
        return write_clip(source, named.span, path, ClipStyle(draw=draw), named.stream)

    def export(
        self,
        video: Path | str,
        target: Path | str,
        *,
        style: ExportFormat | None = None,
        modalities: Modality | Sequence[Modality] | None = None,
        query: str | None = None,
    ) -> Path:
        """Write a video's transcript, text, chapters or observations to a file.

        Args:
            video: A path, file name or id.
            target: The file. Its ending names the format: `.srt`, `.vtt`, `.txt`, `.md`, `.json`, `.csv`, `.parquet`,
                `.otio`, `.edl`, `.chapters.vtt`, `.youtube.txt`, `.chapters.xml`.
            style: The format, whatever the ending is.
            modalities: Only these observations. None: speech in subtitles and text, all in data files.
            query: For `.otio` and `.edl`: the moments that this finds, instead of the chapters.

        Raises:
            QueryError: The format is not known.
            LibraryError: The library holds no such video, or several.
            MissingExtraError: A package that the format needs is not installed.
        """
        path = Path(target)
        kinds = None if modalities is None else find_modalities(modalities)
        data = exported(self, self.video(video), style or format_of(path), kinds, query)
        path.write_bytes(data)
        return path

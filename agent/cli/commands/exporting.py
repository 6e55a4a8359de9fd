"""The commands that take something out of a library: `clip`, `sheet`, `export`, `notes`, `moment`, `context`, `open`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ....tools.errors import QueryError
from ....tools.records import clean_text, clock
from ..options import Chosen, with_settings
from ..places import AsJson, LibraryFolder, Place, Within, modalities_of, opened_at, placed, print_json
from .serving import serve_page

if TYPE_CHECKING:
    from ...exporting.named_moments import NamedMoment
    from ...library import Library

__all__ = ["clip", "context", "export", "moment", "notes", "open_", "sheet"]

Moment = Annotated[
    str | None,
    typer.Argument(metavar="MOMENT", help="A time (0:56-1:04, VIDEO@0:56), an evidence id, or a question."),
]
Citation = Annotated[int, typer.Option("--citation", metavar="N", min=1, help="Which citation of the answer.")]
Output = Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="The file to write.")]


@with_settings(
    examples=("playhead clip talks talk.mp4@10:02-10:40 -o budget.mp4", 'playhead clip talks "Who won?" -o won.gif')
)
def clip(
    place: Place = ".",
    moment: Moment = None,
    output: Output = None,
    citation: Citation = 1,
    fast: Annotated[bool, typer.Option("--fast", help="Copy; starts at the keyframe before the moment.")] = False,
    burn: Annotated[bool, typer.Option("--burn", help="Draw what is said into the picture.")] = False,
    gif: Annotated[bool, typer.Option("--gif", help="Write an animated GIF.")] = False,
    library: LibraryFolder = None,
    *,
    chosen: Chosen,
) -> None:
    """Cut a moment out of a video, exact to one frame."""
    from ...display.terminal import waiting

    opened, named = _named(place, moment, citation, library, chosen)
    path = opened.path_of(named.video)
    ending = ".gif" if gif else ".mp4"
    target = output or Path(f"{path.stem}-{clock(named.span.start)[:-2].replace(':', '-')}{ending}")
    if gif and target.suffix.lower() != ".gif":
        raise QueryError(f"--gif writes a .gif, and -o names {target.name}: leave one of them out")
    with waiting("cutting", chosen.quiet):
        words = f"{named.video.video_id}@{named.span.start}-{named.span.end}"
        made = opened.clip(words, target, mode="fast" if fast else "exact", subtitles=burn)
    if not chosen.quiet:
        seconds = f"{clock(made.start)}–{clock(made.end)}"
        print(f"{clean_text(str(target))}: {seconds} of {clean_text(path.name)}, {made.frames} frames")


@with_settings(examples=("playhead sheet talks/talk.mp4 -o talk.png", "playhead sheet talk.mp4@10:00-20:00 -n 30"))
def sheet(
    video: Annotated[str, typer.Argument(metavar="VIDEO", help="An indexed video, or VIDEO@START-END.")],
    output: Output = None,
    number: Annotated[int, typer.Option("-n", metavar="N", min=1, max=200, help="Number of pictures.")] = 20,
    columns: Annotated[int, typer.Option("--columns", metavar="N", min=1, max=20, help="Pictures in a row.")] = 4,
    library: LibraryFolder = None,
    *,
    chosen: Chosen,
) -> None:
    """Draw a contact sheet: pictures with their times."""
    from ...display.terminal import waiting
    from ...exporting.sheets import contact_sheet

    opened, named = _stretch(video, library, chosen)
    path = opened.path_of(named.video)
    target = output or Path(f"{path.stem}.png")
    _, observed = opened.observed(named.video.video_id, modalities="frame")
    changes = sorted(one.start for one in observed if one.stream == named.stream)
    with waiting("drawing", chosen.quiet):
        spread = [changes[i * len(changes) // number] for i in range(number)] if len(changes) >= number else []
        target.write_bytes(contact_sheet(path, named.span, number, columns, spread, named.stream))
    if not chosen.quiet:
        print(clean_text(str(target)))


def _style_flag(name: str, about: str) -> Any:
    return Annotated[bool, typer.Option(f"--{name}", help=f"{about[0].upper()}{about[1:]}.")]


@with_settings(
    examples=("playhead export talks/talk.mp4 --srt > talk.srt", "playhead export talks --md --chapters -o handouts")
)
def export(
    place: Place = ".",
    srt: _style_flag("srt", "subtitles (SubRip)") = False,  # type: ignore[valid-type]
    vtt: _style_flag("vtt", "subtitles (WebVTT)") = False,  # type: ignore[valid-type]
    txt: _style_flag("txt", "lines of text with times") = False,  # type: ignore[valid-type]
    md: _style_flag("md", "transcript by chapter (Markdown)") = False,  # type: ignore[valid-type]
    json: _style_flag("json", "all observations as JSON") = False,  # type: ignore[valid-type]
    csv: _style_flag("csv", "all observations for spreadsheets") = False,  # type: ignore[valid-type]
    parquet: _style_flag("parquet", "all observations as Parquet") = False,  # type: ignore[valid-type]
    otio: _style_flag("otio", "edit list (OpenTimelineIO)") = False,  # type: ignore[valid-type]
    edl: _style_flag("edl", "edit list (CMX 3600)") = False,  # type: ignore[valid-type]
    chapters: _style_flag("chapters", "chapters (WebVTT)") = False,  # type: ignore[valid-type]
    youtube: _style_flag("youtube", "chapters for a YouTube description") = False,  # type: ignore[valid-type]
    mkv_chapters: _style_flag("mkv-chapters", "chapters for mkvmerge") = False,  # type: ignore[valid-type]
    within: Within = None,
    query: Annotated[
        str | None, typer.Option("--query", metavar="TEXT", help="For edit lists: only the moments that this finds.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR|FILE", help="Where to write. Default: standard output."),
    ] = None,
    library: LibraryFolder = None,
    *,
    chosen: Chosen,
) -> None:
    """Write transcripts, chapters or all observations to files."""
    from ....tools.extractors.registry import find_modalities
    from ...exporting.formats import FORMATS, exported

    flags = {
        "srt": srt, "vtt": vtt, "txt": txt, "md": md, "json": json, "csv": csv, "parquet": parquet, "otio": otio,
        "edl": edl, "chapters": chapters, "youtube": youtube, "mkv-chapters": mkv_chapters,
    }  # fmt: skip
    styles = [name for name in FORMATS if flags[name]]
    if not styles:
        raise QueryError(f"choose a format: {', '.join(f'--{name}' for name in FORMATS)}")
    opened, videos = opened_at(place, library, chosen)
    records, names = opened.videos(videos), modalities_of(within)
    many = len(records) * len(styles) > 1
    if many and output is None:
        raise QueryError(f"this writes {len(records) * len(styles)} files: name a folder for them with -o DIR")
    for record in records:
        for style in styles:
            data = exported(opened, record, style, find_modalities(names) if names else None, query)
            if output is None:
                sys.stdout.buffer.write(data) if hasattr(sys.stdout, "buffer") else sys.stdout.write(data.decode())
                continue
            target = output
            if many or output.is_dir():
                output.mkdir(parents=True, exist_ok=True)
                target = output / f"{opened.path_of(record).stem}{FORMATS[style].ending}"
            target.write_bytes(data)
            if not chosen.quiet:
                print(clean_text(str(target)))


@with_settings(examples=("playhead notes talks/talk.mp4", "playhead notes talk.mp4 -o handout"))
def notes(
    video: Annotated[str, typer.Argument(metavar="VIDEO", help="An indexed video: its path, file name or id.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Folder to write. Default: VIDEO-notes.")
    ] = None,
    library: LibraryFolder = None,
    *,
    chosen: Chosen,
) -> None:
    """Write a hand-out: chapters, key quotes with times, slides."""
    from ...display.terminal import waiting
    from ...exporting.notes import handout

    opened, named = _stretch(video, library, chosen)
    record, path = named.video, opened.path_of(named.video)
    folder = output or Path(f"{path.stem}-notes")
    folder.mkdir(parents=True, exist_ok=True)

    def picture(chapter: Any, number: int) -> str | None:
        data = opened.keyframe(chapter)
        if data is None:
            return None
        (folder / f"chapter-{number:02d}.webp").write_bytes(data)
        return f"chapter-{number:02d}.webp"

    target = folder / "notes.md"
    with waiting("writing", chosen.quiet):
        target.write_text(handout(record, path, opened.chapters(record.video_id), picture), encoding="utf-8")
    if not chosen.quiet:
        print(clean_text(str(target)))


@with_settings(examples=("playhead moment talk.mp4@10:02-10:40", "playhead moment talks 10:02 --frames 8 -o frames"))
def moment(
    place: Place = ".",
    named: Moment = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Folder to save the frames in.")
    ] = None,
    frames: Annotated[int, typer.Option("--frames", metavar="N", min=0, max=64, help="Number of frames.")] = 4,
    crop: Annotated[
        str | None, typer.Option("--crop", metavar="X,Y,W,H", help="Part of the picture, as shares from 0 to 1.")
    ] = None,
    width: Annotated[
        int | None, typer.Option("--width", metavar="PIXELS", min=16, help="Scale frames down to this width.")
    ] = None,
    library: LibraryFolder = None,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """Show everything about a stretch of a video, and its frames."""
    from ...display.tables import print_bundle
    from ...display.terminal import waiting
    from ...exporting.bundles import bundle
    from ...exporting.named_moments import is_time

    if named is None and not is_time(place):
        opened, stretch = _stretch(place, library, chosen)
    else:
        opened, stretch = _named(place, named, 1, library, chosen)
    with waiting("reading", chosen.quiet):
        made = bundle(opened, stretch, frames if output else 0, _box(crop), width)
    saved: list[dict[str, Any]] = []
    for frame in made.frames:
        assert output
        output.mkdir(parents=True, exist_ok=True)
        path = output / f"{Path(made.video).stem}-{round(frame.seconds * 1000):010d}.jpg"
        path.write_bytes(frame.jpeg)
        saved.append({"path": str(path), "seconds": frame.seconds, "wanted": frame.wanted, "note": frame.note})
    if as_json:
        print_json(made.model_dump(mode="json", exclude={"frames"}) | {"frames": saved})
    else:
        print_bundle(made, [one["path"] for one in saved])


@with_settings(
    examples=(
        'playhead context talks "What was decided about the budget?" --max-tokens 3000',
        'playhead context "What was decided?" | llm "Answer, and cite the ids"',
    )
)
def context(
    place: Place = ".",
    question: Annotated[str | None, typer.Argument(metavar="QUESTION", help="A question in plain words.")] = None,
    max_tokens: Annotated[int, typer.Option("--max-tokens", metavar="N", min=100, help="Size of the text.")] = 4000,
    library: LibraryFolder = None,
    *,
    chosen: Chosen,
) -> None:
    """Print the best evidence as text for a language model."""
    from ...display.terminal import waiting

    where, text = placed(place, question, "QUESTION")
    opened, _ = opened_at(where, library, chosen)
    with waiting("searching", chosen.quiet):
        found = opened.context(text, max_tokens)
    print(found, end="")


@with_settings(examples=("playhead open talk.mp4@10:02", 'playhead open talks "When is the rocket shown?" --page'))
def open_(
    place: Place = ".",
    moment: Moment = None,
    citation: Citation = 1,
    player: Annotated[
        str | None, typer.Option("--player", metavar="PROGRAM", help="mpv, vlc, or another player.")
    ] = None,
    page: Annotated[
        bool, typer.Option("--page", help="Play it in the page. Default where no player is installed.")
    ] = False,
    library: LibraryFolder = None,
    *,
    chosen: Chosen,
) -> None:
    """Play a moment at the second, in a player or in the page."""
    from ...exporting.players import installed_player, play

    opened, named = _named(place, moment, citation, library, chosen)
    name = clean_text(opened.path_of(named.video).name)
    if page or (player is None and installed_player() is None):
        print(f"{name} at {clock(named.span.start)} in the page", file=sys.stderr)
        serve_page(opened, fragment=f"v={named.video.video_id[:12]}&t={named.span.start:.1f}")
        return
    program = play(opened.path_of(named.video), named.span, player)
    if not chosen.quiet:
        print(f"{name} at {clock(named.span.start)} in {program}")


def _named(
    place: str, moment: str | None, citation: int, library: Path | None, chosen: Chosen
) -> "tuple[Library, NamedMoment]":
    """The moment that PLACE and MOMENT name together; a MOMENT of another form is a question to ask."""
    from ...display.terminal import waiting
    from ...exporting.named_moments import citation_moment, is_time, named_moment

    where, text = (Path(place), moment) if moment else (Path(), place)
    if "@" in text or _looks_like_id(text):
        return _stretch(text, library, chosen, None if moment is None else where)
    if is_time(text):  # of the only video
        opened, videos = opened_at(where, library, chosen)
        records = opened.videos(videos)
        if len(records) != 1:
            raise QueryError(f"{text}: {len(records)} videos are in {where}, write which one: VIDEO@{text}")
        return opened, named_moment(opened, f"{records[0].video_id}@{text}")
    where, text = placed(place, moment, "MOMENT")
    opened, _ = opened_at(where, library, chosen)
    with waiting("looking for the moment", chosen.quiet):
        return opened, citation_moment(opened, text, citation)


def _stretch(
    text: str, library: Path | None, chosen: Chosen, place: Path | None = None
) -> "tuple[Library, NamedMoment]":
    """The library and stretch of `VIDEO`, `VIDEO@START-END` or an evidence id."""
    from ....tools.records import Span
    from ...exporting.named_moments import NamedMoment, named_moment

    video, at, _ = text.rpartition("@")
    video = video if at else text
    if place is None:
        place = Path() if _looks_like_id(text) else Path(video)
    opened, _ = opened_at(place, library, chosen)
    if at or _looks_like_id(text):
        return opened, named_moment(opened, text)
    record = opened.video(video)
    span = Span(start=0, end=max(record.duration, 0.001))
    return opened, NamedMoment(video=record, span=span, stream=record.info.stream)


def _looks_like_id(text: str) -> bool:
    head, dash, tail = text.partition("-")
    return bool(dash) and len(head) == 12 and all(c in "0123456789abcdef" for c in head + tail)


def _box(crop: str | None) -> Any:
    from ....tools.records import Box

    if crop is None:
        return None
    try:
        x, y, width, height = map(float, crop.split(","))
        return Box(left=x, top=y, right=x + width, bottom=y + height)
    except ValueError as error:
        raise QueryError(f"--crop {crop!r}: give X,Y,W,H as shares from 0 to 1, e.g. 0.5,0,0.5,1") from error

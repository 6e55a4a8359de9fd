"""`playhead eval`: run a system on a data set, compare runs, write a report. Parses, calls, prints."""

import json
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from ..cli.options import MODELS, Chosen, Command, with_settings

__all__ = ["app"]

app = typer.Typer(
    name="eval",
    help="""Evaluate systems and baselines on published data, with costs.

    \b
    playhead eval nextgqa --captions nextgqa/
    playhead eval tutorialvqa --transcripts tutorialvqa/
    playhead eval haystack --seed 7 --minutes 10
    playhead eval compare runs/blind runs/agent
    """,
    no_args_is_help=True,
    rich_markup_mode=None,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print data for programs.")]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="DIR", readable=False, help="Keep the runs in this folder; an existing run continues."
    ),
]
Split = Annotated[str | None, typer.Option("--split", metavar="NAME", help="Part of the data set.")]
Seed = Annotated[int, typer.Option("--seed", metavar="NUMBER", help="Seed of all random choices.")]


@app.command(cls=Command)
@with_settings(*MODELS)
def nextgqa(
    captions: Annotated[
        Path,
        typer.Option(
            "--captions", metavar="DIR", readable=False, help="Folder with captions.jsonl(.gz) and questions."
        ),
    ],
    split: Split = None,
    seed: Seed = 0,
    out: Out = None,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """NExT-GQA: find the span of a question in captions, without an LLM."""
    from .offline import run_nextgqa

    with _folder(out) as folder:
        found = run_nextgqa(captions, Path(folder), chosen.settings(), split, seed, _progress_bar(chosen))
    _show("NExT-GQA", found, as_json)


@app.command(cls=Command)
@with_settings(*MODELS)
def tutorialvqa(
    transcripts: Annotated[
        Path,
        typer.Option("--transcripts", metavar="DIR", readable=False, help="Folder with videos.json and questions."),
    ],
    split: Split = None,
    seed: Seed = 0,
    out: Out = None,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """TutorialVQA: find the sentences that answer a question among all videos, without an LLM."""
    from .offline import run_tutorialvqa

    with _folder(out) as folder:
        found = run_tutorialvqa(transcripts, Path(folder), chosen.settings(), split, seed, _progress_bar(chosen))
    _show("TutorialVQA", found, as_json)


@app.command(cls=Command)
@with_settings(*MODELS)
def haystack(
    hours: Annotated[int, typer.Option("--hours", metavar="NUMBER", min=1, help="Number of videos.")] = 1,
    minutes: Annotated[int, typer.Option("--minutes", metavar="NUMBER", min=2, help="Length of each video.")] = 60,
    clips: Annotated[
        Path | None, typer.Option("--clips", metavar="DIR", readable=False, help="Real clips to insert.")
    ] = None,
    seed: Seed = 0,
    out: Out = None,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """Videos composed from a seed, with known truth: score search, answers and refusals, offline."""
    from .haystack.needles import run_haystack

    with _folder(out) as folder:
        found = run_haystack(Path(folder), chosen.settings(), seed, hours, minutes, clips, _progress_bar(chosen))
    _show("Haystack", found, as_json)


@app.command(cls=Command)
@with_settings(*MODELS)
def run(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A name of `playhead eval datasets`.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", readable=False, help="Folder with the authors' files.")],
    systems: Annotated[
        str, typer.Option("--systems", metavar="NAME,...", help="The systems to evaluate.")
    ] = "blind,one-random-frame,uniform,agent",
    videos: Annotated[
        Path | None, typer.Option("--videos", metavar="DIR", readable=False, help="Folder of the videos.")
    ] = None,
    library: Annotated[
        Path | None,
        typer.Option("--library", metavar="DIR", readable=False, help="Library that holds the indexed videos."),
    ] = None,
    present: Annotated[bool, typer.Option("--present", help="Leave out questions whose video is missing.")] = False,
    frames: Annotated[
        int, typer.Option("--frames", metavar="NUMBER", min=1, help="Most frames for one question.")
    ] = 32,
    masks: Annotated[
        str | None, typer.Option("--mask", metavar="MODALITY,...", help="Repeat the run without each of these.")
    ] = None,
    circular: Annotated[
        bool, typer.Option("--circular", help="Also rotate the answer options (CircularEval).")
    ] = False,
    judge: Annotated[bool, typer.Option("--judge", help="Have open-ended answers judged by the video LLM.")] = False,
    visual: Annotated[bool, typer.Option("--visual", help="Also compare chosen frames by picture content.")] = False,
    split: Split = None,
    seed: Seed = 0,
    out: Out = None,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """Run systems on a data set with the same budget."""
    from .datasets import load
    from .harness import Wanted, evaluate, modalities_of
    from .records import Budget

    data = load(dataset, folder, videos, split)
    data = data.present() if present else data
    names = tuple(part.strip() for part in systems.split(",") if part.strip())
    if set(names) - {"blind"}:
        data.need_videos()
    wanted = Wanted(
        systems=names,
        budget=Budget(frames=frames),
        seed=seed,
        masks=modalities_of(masks),
        circular=circular,
        judge=judge,
        visual=visual,
    )
    with _folder(out) as place:
        found = evaluate(data, wanted, Path(place), chosen.settings(), library, _progress_bar(chosen))
    _show(data.title, found, as_json)


@app.command(cls=Command)
@with_settings()
def datasets(as_json: AsJson = False, *, chosen: Chosen) -> None:
    """List the supported data sets: licence, source and files."""
    from .datasets import ADAPTERS

    del chosen  # creating it has set the log level
    rows = [
        {"name": one.name, "title": one.title, "licence": one.licence, "source": one.source, "files": one.files}
        for one in ADAPTERS.values()
    ]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for row in rows:
        typer.echo(f"{row['name']}: {row['title']}; licence {row['licence']}; {row['files']} from {row['source']}")


@app.command(cls=Command, name="compare")
@with_settings()
def compare_(
    first: Annotated[Path, typer.Argument(metavar="FIRST", readable=False, help="Folder of a run.")],
    second: Annotated[
        Path, typer.Argument(metavar="SECOND", readable=False, help="Folder of another run on the same questions.")
    ],
    metrics: Annotated[
        str | None, typer.Option("--metrics", metavar="NAME,...", help="Only these, e.g. accuracy,mIoU.")
    ] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
    *,
    chosen: Chosen,
) -> None:
    """Compare two runs question by question: differences with 95 % intervals from resampled videos."""
    from .compare import compare
    from .tables import print_comparison

    del chosen  # creating it has set the log level
    wanted = [part.strip() for part in metrics.split(",")] if metrics else []
    found = compare(first, second, seed, wanted)
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        print_comparison(found)


@app.command(cls=Command)
@with_settings()
def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", readable=False, help="Folders of runs.")],
    to: Annotated[
        Path,
        typer.Option(
            "--to", metavar="FILE", readable=False, help="HTML file to write; its plot is written next to it."
        ),
    ] = Path("report.html"),
    seed: Seed = 0,
    *,
    chosen: Chosen,
) -> None:
    """Write one HTML page about runs: scores, costs, differences from the first run, all questions."""
    from .report import write_report

    written = write_report(runs, to, seed)
    if not chosen.quiet:
        typer.echo("\n".join(str(path) for path in written))


def _folder(out: Path | None) -> Any:
    """Return the given folder for runs, or a temporary one that is deleted after scoring."""
    if out is None:
        return tempfile.TemporaryDirectory(prefix="playhead-eval-")
    return nullcontext(out)


def _progress_bar(chosen: Chosen) -> Any:
    if chosen.quiet or not sys.stderr.isatty():
        return None

    def progress(done: int, total: int) -> None:
        sys.stderr.write(f"\r{done}/{total}" + ("\n" if done == total else ""))

    return progress


def _show(title: str, found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    from .tables import print_scores

    print_scores(title, found)

"""The notebook runs from top to bottom, and what is committed with it is what it says.

`UPDATE_NOTEBOOK=1 python -m pytest tests/test_notebook.py` runs it and keeps its new outputs.
"""

import html
import json
import os
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

NOTEBOOK = Path(__file__).resolve().parents[1] / "examples" / "quickstart.ipynb"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> NotebookNode:
    """The notebook with the outputs of a run in a copy of its folder, without those of earlier runs."""
    folder = tmp_path_factory.mktemp("clone") / "examples"
    folder.mkdir()
    shutil.copy(NOTEBOOK.with_name("make_sample.py"), folder)
    book = nbformat.read(NOTEBOOK, as_version=4)
    for cell in code(book):
        cell.outputs, cell.execution_count = [], None
    NotebookClient(book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    if os.environ.get("UPDATE_NOTEBOOK"):
        nbformat.write(tidied(book), NOTEBOOK)
    return book


@pytest.fixture
def committed(run) -> NotebookNode:
    """The notebook as it lies in the repository."""
    return nbformat.read(NOTEBOOK, as_version=4)


def code(book: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in book.cells if cell.cell_type == "code"]


def tidied(book: NotebookNode) -> NotebookNode:
    """Without the times of the run, and without a record's plain text where it is drawn as Markdown: that has paths."""
    for cell in book.cells:
        cell.metadata = {}
    for output in (output for cell in code(book) for output in cell.outputs):
        if "text/markdown" in output.get("data", {}):
            output.data.pop("text/plain")
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    book.metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return book


def told(book: NotebookNode) -> list[str]:
    """What each code cell shows, as text; a picture as `<picture>`."""
    shown = []
    for cell in code(book):
        parts = []
        for output in cell.outputs:
            data = output.get("data", {})
            drawn = "<picture>" if "image/png" in data else data.get("text/markdown") or data.get("text/plain")
            parts.append(output.get("text") or drawn)
        text = html.unescape("".join(parts))  # answers write what Markdown could take for its own as entities
        shown.append(re.sub(r"\(data:image/webp;base64,[\w+/=]+\)", "(picture)", text).strip())
    return shown


def test_it_runs_without_errors_or_warnings(run):
    kinds = {(output.output_type, output.get("name")) for cell in code(run) for output in cell.outputs}
    assert kinds == {("stream", "stdout"), ("execute_result", None)}


def test_it_shows_what_is_said_written_and_shown_and_nothing_that_is_not(run):
    sheet, indexed, found, narrowed, said, written, shown, never, after, computed, whole, steps, quoted, truth = told(
        run
    )
    assert sheet == "<picture>"
    assert indexed.startswith("talk.mp4 indexed\n  speech   done     16 found\n")
    assert "[00:00:10–00:00:14] speech  The budget for travel grew by 12% this year." in found
    assert narrowed.startswith("[00:00:38–00:00:46] ")
    assert "The deadline for the first release is very close." in narrowed
    assert said.startswith("The budget for travel grew by 12% this year")
    assert written.startswith("Cause: certificate expired")
    for answer, span in ((said, "00:00:10–00:00:14"), (written, "00:00:28–00:00:38"), (shown, "00:00:38–00:00:46")):
        assert span in answer
        assert answer.endswith("![keyframe](picture)")
    assert "insufficient" in never
    assert "penguins" in never
    assert after.startswith("The new battery lasts for two days")
    assert computed.splitlines()[0].startswith("first: espresso · then: Egyptian cat")
    assert computed.splitlines()[1].startswith("2 times")
    assert len(whole.splitlines()) >= 3
    assert steps.splitlines()[:2] == ["plan", "evidence"]
    assert "Nobody could login, and many customers called us." in steps
    assert "supported: 57." in quoted
    assert "'start': 56.0" in truth


def test_the_committed_outputs_are_those_of_a_run(run, committed):
    assert [cell.source for cell in committed.cells] == [cell.source for cell in run.cells]
    fractions = re.compile(r"(?<=\d\.)\d+")  # word times differ a little from processor to processor
    assert [fractions.sub("…", text) for text in told(committed)] == [fractions.sub("…", text) for text in told(run)]
    assert [cell.execution_count for cell in code(committed)] == list(range(1, len(code(committed)) + 1))


def test_the_committed_file_is_small_and_names_no_machine(committed):
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < 400_000
    without_pictures = re.sub(r"[\w+/=\\]{200,}", "", text)
    assert re.findall(r"/(?:home|root|tmp|usr|Users|work|opt|var)/\S*", without_pictures) == []
    assert json.loads(text)["nbformat"] == 4
    nbformat.validate(committed)

"""A page that runs for a library answers the command line's questions."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from playhead import Library, Settings
from playhead.agent.graph.events import Answered, PlanMade
from playhead.agent.serving.running_page import PageQuestion, RunningPage, announced, running_page, steps
from playhead.tools.errors import LibraryError, QueryError
from playhead.tools.settings import cache_folder

uvicorn = pytest.importorskip("uvicorn", reason="the extra ui is not installed")

from playhead.agent.serving.access import Access  # noqa: E402 (needs the extra)
from playhead.agent.serving.app import create_app  # noqa: E402

QUESTION = "What does the speaker say about the budget for travel?"
SETTINGS = Settings(objects_model="off", offline=True)
TOKEN = "the-token"


@pytest.fixture(scope="module")
def page(talk_library: Library) -> Iterator[RunningPage]:
    """A page of the talk that is written down in the user's cache folder."""
    library = Library(talk_library.folder, SETTINGS)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(create_app(library, Access(token=TOKEN)), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    with announced(library.folder, SETTINGS, url, TOKEN):
        found = running_page(library.folder, SETTINGS)
        assert found is not None
        yield found
    assert running_page(library.folder, SETTINGS) is None
    server.should_exit = True
    thread.join(10)


def ask(library: Library, *options: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).resolve().parents[2]
    program = (
        "import sys; from playhead.agent.cli.main import main\n"
        "try: main()\n"
        "finally: print('loaded' if 'faiss' in sys.modules else 'nothing loaded', file=sys.stderr)"
    )
    arguments = ["ask", str(library.folder.parent), QUESTION, "--offline", "--objects-model", "off", "--json", *options]
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": str(root.parent)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_steps_of_a_page_are_those_of_its_library(talk_library: Library, page: RunningPage) -> None:
    first, *_, last = steps(page, PageQuestion(question=QUESTION))
    assert isinstance(first, PlanMade)
    assert isinstance(last, Answered)
    here = Library(talk_library.folder, SETTINGS).ask(QUESTION)
    assert last.answer.claims == here.claims
    assert last.answer.claims[0].citations[0].video == here.claims[0].citations[0].video


def test_its_errors_are_those_of_its_library(page: RunningPage) -> None:
    with pytest.raises(QueryError, match="nonsense"):
        list(steps(page, PageQuestion(question=QUESTION, where=("nonsense",))))
    with pytest.raises(LibraryError, match="absent"):
        list(steps(page, PageQuestion(question=QUESTION, videos=("absent.mp4",))))


def test_the_command_line_asks_the_page_and_loads_no_models(talk_library: Library, page: RunningPage) -> None:
    by_page, alone = ask(talk_library), ask(talk_library, "--no-page")
    assert by_page.returncode == alone.returncode == 0, by_page.stderr + alone.stderr
    assert json.loads(by_page.stdout)["claims"] == json.loads(alone.stdout)["claims"] != []
    assert by_page.stderr.splitlines()[-1] == "nothing loaded"
    assert alone.stderr.splitlines()[-1] == "loaded"


@pytest.mark.parametrize("other", [{"language": "de"}, {"video_llm_key": SecretStr("another")}])
def test_a_page_with_other_settings_is_not_asked(talk_library: Library, page: RunningPage, other: dict) -> None:
    del page
    assert running_page(talk_library.folder, SETTINGS.model_copy(update=other)) is None


def test_only_its_user_can_read_the_token(page: RunningPage, talk_library: Library) -> None:
    (file,) = (one for one in (cache_folder() / "pages").iterdir() if page.url in one.read_text())
    assert file.stat().st_mode & 0o077 == 0
    assert page.token not in page.settings
    file.write_text("{}")
    assert running_page(talk_library.folder, SETTINGS) is None
    file.write_text(page.model_copy(update={"url": "http://127.0.0.1:9"}).model_dump_json())
    assert running_page(talk_library.folder, SETTINGS) is None
    file.write_text(page.model_dump_json())


def test_a_page_for_other_machines_has_no_steps(talk_library: Library) -> None:
    routes = {
        getattr(route, "path", "") for route in create_app(talk_library, Access(host="0.0.0.0", password="x")).routes
    }
    assert "/api/ask" in routes
    assert "/api/steps" not in routes

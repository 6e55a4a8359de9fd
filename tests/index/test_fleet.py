"""Indexing on Ray: two workers on this machine, real readers of text, and processes that are killed at their work."""

import importlib.util
import os
import pickle
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
from PIL import Image, ImageDraw, ImageFont

from playhead.index.indexing.build import index_files
from playhead.index.indexing.extractor_set import Extractors
from playhead.index.storage.local import LocalStorage
from playhead.tools.errors import MissingExtraError, SettingsError
from playhead.tools.settings import Settings

from ..fakes import journal_lines, write_pictures

# Starting the processes of Ray takes minutes on two cores: `make test-all` runs these tests.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed"),
]

SLIDES = 16  # two batches
WORDS = "harbour lantern meadow pepper quarry ribbon saddle timber velvet walnut".split()
READING = Settings(
    offline=True, device="cpu", speech_model="off", objects_model="off", image_model="off", sidecars=False
)


def slide(seed):
    """Four lines of words and numbers."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (640, 360), "white")
    draw = ImageDraw.Draw(picture)
    for line in range(4):
        words = " ".join([*rng.choice(WORDS, 2), str(rng.integers(1000, 9999))])
        draw.text((30, 40 + 80 * line), words, "black", ImageFont.load_default(28))
    return np.asarray(picture)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three videos of slides, one a second; two of them are the same."""
    folder = tmp_path_factory.mktemp("slides")
    for n in range(2):
        pictures = [slide(100 * n + second) for second in range(SLIDES)]
        write_pictures(folder / f"{n}.mp4", pictures, range(SLIDES), options={"g": "1", "crf": "18"})
    (folder / "copy.mp4").write_bytes((folder / "0.mp4").read_bytes())
    (folder / "notes.mp4").write_bytes(b"no video")
    return folder


@pytest.fixture(scope="module")
def alone(folder, tmp_path_factory):
    """What one process makes of them."""
    store = LocalStorage(tmp_path_factory.mktemp("alone"))
    reported = {
        outcome.path.name: outcome.state
        for outcome in index_files(store, [folder], Extractors.gather(READING), False, silent)
    }
    assert reported == {"0.mp4": "indexed", "1.mp4": "indexed", "copy.mp4": "same", "notes.mp4": "failed"}
    return stored(store.folder)


def silent(*_):
    """Reports nothing."""


def stored(library):
    """All files of each video but its record, which knows when it was made; the folder of a version has a random name.

    Of observations, what was read and when: after a kill the reader of text has forgotten the frames before, reads the next one
    whole, and finds boxes that differ by a few pixels.
    """
    versions = [path for path in (library / "videos").glob("*/v-*") if path.is_dir()]
    assert len(versions) == 2
    files = {(version.parent.name, path.name): path for version in versions for path in version.iterdir()}
    return {
        key: parquet.read_table(path).drop_columns(["id", "box", "score"]).to_pylist()
        if path.suffix == ".parquet"
        else path.read_bytes()
        for key, path in files.items()
        if path.name != "video.json"
    }


def processes_of_ray(name):
    """Processes that a raylet of this process started, and that are at `name`."""
    parents, names = {}, {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
            names[int(status.parent.name)] = (status.parent / "cmdline").read_bytes().decode(errors="replace")
        except (OSError, ValueError):
            continue
        parents[int(status.parent.name)] = int(fields["PPid"])

    def is_ours(pid):
        while pid > 1:
            pid = parents.get(pid, 0)
            if pid == os.getpid():
                return True
        return False

    return [pid for pid, cmdline in names.items() if cmdline.startswith(f"ray::{name}") and is_ours(pid)]


class Killer(threading.Thread):
    """Kills one process of each name as soon as something is noted in the library."""

    def __init__(self, library, *names):
        super().__init__(daemon=True)
        self.library, self.names, self.killed = library, names, []

    def run(self):
        end = time.monotonic() + 120
        while time.monotonic() < end and len(self.killed) < len(self.names):
            pids = processes_of_ray(self.names[len(self.killed)]) if journal_lines(self.library) else []
            if pids:
                os.kill(pids[0], signal.SIGKILL)
                self.killed.append(pids[0])
            time.sleep(0.05)


def test_two_workers_and_processes_that_are_killed(folder, alone, tmp_path):
    """A task and a model die at their work: both are started again, and the library is that of one process."""
    from playhead.index.indexing.fleet import Fleet

    store, reported = LocalStorage(tmp_path / "library"), []
    killer = Killer(store.folder, "_extract", "_Model.call")
    killer.start()
    with Fleet(READING, workers=2) as fleet:
        assert fleet.workers == 2
        assert fleet.extractors.source("text") == Extractors.gather(READING).source("text")
        outcomes = list(
            index_files(store, [folder], fleet.extractors, False, lambda *args: reported.append(args), fleet.run)
        )
        assert len(killer.killed) == 2
        states = {outcome.path.name: outcome.state for outcome in outcomes}
        assert states == {"0.mp4": "indexed", "1.mp4": "indexed", "copy.mp4": "same", "notes.mp4": "failed"}
        assert stored(store.folder) == alone
        assert list((store.folder / "staging").iterdir()) == []
        paths = {path for record in store.read().values() for path in record.paths}
        assert paths == {str(folder / f"{name}.mp4") for name in ("0", "1", "copy")}
        assert {(path.name, stage) for path, _, _, stage, _, _ in reported} >= {("0.mp4", "reading frames")}

        again = index_files(store, [folder], fleet.extractors, False, silent, fleet.run)
        assert {o.path.name: o.state for o in again} == {
            "0.mp4": "unchanged", "1.mp4": "unchanged", "copy.mp4": "same", "notes.mp4": "failed"
        }  # fmt: skip


def test_what_is_not_possible_is_an_error():
    from playhead.index.indexing.fleet import Fleet

    with pytest.raises(SettingsError, match="workers=0: at least 1 is needed"):
        Fleet(READING, workers=0)
    with pytest.raises(SettingsError, match="cannot be joined"):
        Fleet(READING, address="127.0.0.1:1")
    with pytest.raises(SettingsError, match="no machine of the cluster has a GPU"):
        Fleet(READING.model_copy(update={"device": "cuda"}), workers=1)


def test_a_video_llm_that_is_not_there_loses_only_the_captions(folder, alone, tmp_path):
    """As in one process; and a model in each worker's process is refused."""
    from playhead.index.indexing.fleet import Fleet

    served = {"video_llm_url": "http://127.0.0.1:9/v1", "video_llm_model": "none", "video_llm_timeout": 2.0}
    store = LocalStorage(tmp_path / "library")
    with Fleet(READING.model_copy(update=served), workers=1) as fleet:
        (outcome,) = index_files(store, [folder / "1.mp4"], fleet.extractors, False, silent, fleet.run)
    states = {stage.modality: stage.state for stage in outcome.record.stages}
    assert (states["text"], states["caption"]) == ("done", "failed")
    assert "ServerError" in outcome.record.stage("caption").detail
    with pytest.raises(SettingsError, match="each worker would load the model"):
        Fleet(READING.model_copy(update={"video_llm_backend": "transformers", "video_llm_model": "some/model"}))


def test_errors_travel_between_processes():
    error = pickle.loads(pickle.dumps(MissingExtraError("reading", "easyocr", "easyocr")))
    assert str(error).endswith("which is not installed: pip install 'playhead[easyocr]'")

"""What a library withstands: flipped bits, kills, many processes at once; and what a run costs in which nothing changed.

- Flipped bits: 1,000 random single-bit flips over all kinds of committed files of a library of three films that the
  extractors of the tests (`tests/fakes.py`) indexed. After each, `verify --deep` must name exactly that file, and all
  records, observations, vectors and keyframes must be as before, or their video must be reported as damaged. Every
  twentieth flip is repaired by `repair`, and the content compared; after the others the file is put back.
- Kills: 50 processes that index a changed film are killed (SIGKILL) after a random time. After each kill a reader must
  see every committed video; after the next run the data files must be those of an undisturbed run, byte by byte.
- Concurrency: three processes index, one removes videos, four read, all in one library. At each look a reader must see the
  video that is not removed, and every video whole that it can read.
- Unchanged files: `playhead index`, in a process of its own, over 10,000 media files in one folder, each with a committed
  video. The files are tiny and the committed videos are copies of one version: what is measured is the walk, the
  identities and the records. The first run reads each file once, and publishes all videos to the search index.

`BENCH_SECONDS=300` in the environment runs the concurrent processes longer than 60 s.
"""

import importlib
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from report import Figures

from playhead.index.indexing.build import index_files
from playhead.index.indexing.extractor_set import Extractors
from playhead.index.indexing.repair import repair
from playhead.index.storage.backend import VersionGoneError
from playhead.index.storage.committed.versions import CommittedVideo
from playhead.index.storage.identity import content_id
from playhead.index.storage.local import LocalStorage
from playhead.tools.errors import LibraryError

_FLIPS, _REPAIRED_EACH = 1000, 20
_KILLS = 50
_FILES = 10_000
_SECONDS = float(os.environ.get("BENCH_SECONDS", "60"))


def _fakes() -> Any:
    """The tests' extractors, which need no model."""
    tests = Path(__file__).resolve().parents[1]
    sys.path.insert(0, str(tests.parent))
    return importlib.import_module("tests.fakes"), importlib.import_module("tests.media")


def _index(folder: Path, extractors: Extractors) -> Counter[str]:
    outcomes = index_files(LocalStorage(folder / ".playhead"), [folder], extractors, False, lambda *_: None)
    return Counter(outcome.state for outcome in outcomes)


def _films(folder: Path, count: int) -> None:
    _, media = _fakes()
    folder.mkdir(parents=True)
    for n in range(count):
        sound = media.beep(0.2 + 0.1 * n, 2.0)
        media.write_media(folder / f"{n}.mp4", [n, n + 1], sound=sound, options={"g": "1", "bf": "0"})


def _results(storage: LocalStorage) -> dict[str, Any]:
    """All that a reader sees of every readable video."""
    seen = {}
    for video_id in storage.read():
        try:
            committed = storage.committed(video_id)
            assert committed is not None
            record, table = committed
            pictures = [storage.keyframe_of(record, time) for time in storage.keyframe_times(record)]
        except LibraryError:
            continue
        vectors = table.text_vectors.tobytes(), table.image_vectors.tobytes()
        seen[video_id] = (record.paths, table.observations, vectors, pictures)
    return seen


def _stored_files(library: Path) -> list[Path]:
    """All files of a library that hold what is committed now."""
    storage = LocalStorage(library)
    records = storage.read().values()
    in_versions = [path for record in records for path in storage.version_folder(record).iterdir()]
    current = [library / "videos" / record.video_id / "video.json" for record in records]
    return sorted([*in_versions, *current, library / "library.json"])


def _flips(work: Path) -> dict[str, str | float | None]:
    fakes, _ = _fakes()
    folder = work / "flips"
    _films(folder, 3)
    _index(folder, fakes.extractors())
    library, random_ = folder / ".playhead", random.Random(1)
    sound = _results(LocalStorage(library))
    count: Counter[str] = Counter()
    for number in range(_FLIPS):
        file = random_.choice(_stored_files(library))
        content = bytearray(file.read_bytes())
        whole = bytes(content)
        content[random_.randrange(len(content))] ^= 1 << random_.randrange(8)
        file.write_bytes(content)
        try:
            storage = LocalStorage(library)
            names = [damage.name for damage in storage.verify(deep=True)]
            count["named"] += names == [os.path.relpath(file, library)]
            seen = _results(storage)
            count["silent"] += any(seen[video_id] != sound[video_id] for video_id in seen)
            count["others hidden"] += len(seen) < len(sound) - 1
            if number % _REPAIRED_EACH == 0:
                count["repairs"] += 1
                for _ in repair(storage, fakes.extractors(), lambda *_: None):
                    pass
                healed = LocalStorage(library)
                count["repaired"] += not list(healed.verify(deep=True)) and _results(healed) == sound
                continue
        except Exception as error:  # noqa: BLE001 (this is what is counted)
            print(f"flip {number} in {file}: {error!r}", file=sys.stderr)
            count["tracebacks"] += 1
        file.write_bytes(whole)
    return {
        "flips": _FLIPS,
        "silent differences": count["silent"],
        "tracebacks": count["tracebacks"],
        "named by verify": count["named"],
        "hid another video": count["others hidden"],
        "repaired": f"{count['repaired']} of {count['repairs']}",
    }


def _index_as_child(folder: Path) -> None:
    fakes, _ = _fakes()
    _index(folder, fakes.extractors(reader=fakes.Reader("2")))


def _data(folder: Path) -> dict[str, bytes]:
    """The data files of the current versions, by video and name."""
    storage = LocalStorage(folder / ".playhead")
    return {
        f"{video_id}/{name}": (storage.version_folder(record) / name).read_bytes()
        for video_id, record in storage.read().items()
        for name in storage.manifest(record).files
    }


def _kills(work: Path) -> dict[str, str | float | None]:
    fakes, _ = _fakes()
    folder = work / "kills"
    _films(folder, 2)
    _index(folder, fakes.extractors())
    first = work / "first"
    shutil.copytree(folder, first, copy_function=shutil.copy2)
    began = time.perf_counter()
    _index_as_child(folder)
    took = time.perf_counter() - began
    wanted, random_ = _data(folder), random.Random(2)
    count: Counter[str] = Counter()
    context = multiprocessing.get_context("fork")
    for number in range(_KILLS):
        place = work / f"kill-{number}"
        shutil.copytree(first, place, copy_function=shutil.copy2)
        child = context.Process(target=_index_as_child, args=(place,))
        child.start()
        time.sleep(random_.uniform(0, 1.5 * took))
        assert child.pid
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        count["killed"] += child.exitcode == -signal.SIGKILL
        storage = LocalStorage(place / ".playhead")
        count["videos missing"] += len(_results(storage)) != 2 or bool(list(storage.verify(deep=True)))
        _index_as_child(place)
        count["equal"] += _data(place) == wanted
        shutil.rmtree(place)
    return {
        "kills": _KILLS,
        "before the run's end": count["killed"],
        "a video missing or damaged": count["videos missing"],
        "rerun equal byte by byte": count["equal"],
    }


def _started(start: Any) -> float:
    """Wait until all processes are ready; when to stop, in seconds since 1970."""
    start.wait(timeout=300)
    return time.time() + _SECONDS


def _indexer(folder: Path, number: int, start: Any, queue: Any) -> None:
    fakes, _ = _fakes()
    until = _started(start)
    errors, runs = [], 0
    while time.time() < until:
        try:
            _index(folder, fakes.extractors(reader=fakes.Reader(f"{number}-{runs}")))
            runs += 1
        except Exception as error:  # noqa: BLE001 (this is what is counted)
            errors.append(repr(error))
    queue.put(("index runs", runs, errors))


def _remover(folder: Path, kept: str, start: Any, queue: Any) -> None:
    until = _started(start)
    errors, removed = [], 0
    while time.time() < until:
        try:
            storage = LocalStorage(folder / ".playhead")
            for video_id in storage.read():
                if video_id != kept:
                    storage.remove(video_id)
                    removed += 1
                    break
        except Exception as error:  # noqa: BLE001 (this is what is counted)
            errors.append(repr(error))
        time.sleep(0.05)
    queue.put(("removals", removed, errors))


def _reader(folder: Path, kept: str, start: Any, queue: Any) -> None:
    until = _started(start)
    errors, looks = [], 0
    storage = LocalStorage(folder / ".playhead")
    while time.time() < until:
        try:
            records = storage.read()
            if kept not in records:
                errors.append("the kept video is missing")
            for video_id in records:
                committed = storage.committed(video_id)
                if committed is None:
                    if video_id == kept:
                        errors.append("the kept video is missing")
                    continue
                record, table = committed
                first = 1000 * int(Path(record.paths[0]).stem)
                try:
                    times = storage.keyframe_times(record)
                except VersionGoneError:  # it was removed between both reads
                    if video_id == kept:
                        raise
                    continue
                if times != [first, first + 1000] or not table.observations:
                    errors.append("half a video")
            looks += 1
        except Exception as error:  # noqa: BLE001 (this is what is counted)
            errors.append(repr(error))
    queue.put(("looks", looks, errors))


def _concurrency(work: Path) -> dict[str, str | float | None]:
    fakes, _ = _fakes()
    folder = work / "many"
    _films(folder, 3)
    _index(folder, fakes.extractors())
    kept = content_id(folder / "0.mp4")
    context = multiprocessing.get_context("spawn")
    queue, start = context.Queue(), context.Barrier(8)
    processes = [context.Process(target=_indexer, args=(folder, n, start, queue)) for n in range(3)]
    processes.append(context.Process(target=_remover, args=(folder, kept, start, queue)))
    processes += [context.Process(target=_reader, args=(folder, kept, start, queue)) for _ in range(4)]
    for process in processes:
        process.start()
    done: Counter[str] = Counter()
    errors: list[str] = []
    for _ in processes:
        what, number, wrong = queue.get(timeout=_SECONDS + 600)
        done[what] += number
        errors += wrong
    for process in processes:
        process.join()
    for error, times in Counter(errors).most_common(5):
        print(f"{times} × {error}", file=sys.stderr)
    return {"seconds": _SECONDS, "processes": "3 index, 1 removes, 4 read", **dict(done), "errors": len(errors)}


def _command_line(folder: Path) -> tuple[float, float, str]:
    """Run `playhead index` in a process of its own; returns its wall and CPU seconds, and its last line."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "playhead", "index", str(folder), "--offline"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, cpu, (done.stdout + done.stderr).strip().splitlines()[-1]


def _unchanged(work: Path) -> dict[str, str | float | None]:
    _, media = _fakes()
    one = work / "one"
    one.mkdir()
    media.write_media(one / "0.mp4", [0], sound=media.beep(0.2, 1.0), options={"g": "1", "bf": "0"})
    _command_line(one)
    source = LocalStorage(one / ".playhead")
    (record,) = source.read().values()
    committed = source.manifest(record)
    folder = work / "talks"
    folder.mkdir()
    storage = LocalStorage(folder / ".playhead")
    storage.create()
    body, then = (one / "0.mp4").read_bytes(), time.time() - 1000
    for number in range(_FILES):
        file = folder / f"{number:05d}.mp4"
        file.write_bytes(body + number.to_bytes(8, "big"))
        os.utime(file, (then, then))
        video_id = content_id(file)
        changes = {"video_id": video_id, "paths": (file.name,), "info": record.info.model_copy(update={"path": file})}
        version = storage.videos_folder / video_id / f"v-{record.commit}"
        shutil.copytree(source.version_folder(record), version)
        sealed = CommittedVideo(record=record.model_copy(update=changes), files=committed.files).sealed()
        (version / "video.json").write_bytes(sealed)
        (version.parent / "video.json").write_bytes(sealed)
    figures: dict[str, str | float | None] = {"files": _FILES}
    for what, where, count in (("one file", one, 1), ("first", folder, _FILES), ("again", folder, _FILES)):
        wall, cpu, said = _command_line(where)
        assert said.startswith(f"{count} unchanged"), said
        figures |= {f"{what}, s": round(wall, 2), f"{what}, CPU s": round(cpu, 2)}
    wall = time.perf_counter()
    assert not list(storage.verify())
    figures["verify, s"] = round(time.perf_counter() - wall, 2)
    return figures


def measure() -> Figures:
    """Measure all four."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        return {
            "Flipped bits": [_flips(work)],
            "Kills": [_kills(work)],
            "Many processes at once": [_concurrency(work)],
            "A run in which nothing changed": [_unchanged(work)],
        }

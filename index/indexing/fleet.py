"""Indexes on a Ray cluster; the only module that imports Ray.

A model is an actor: one set of actors for each GPU, or for each concurrent video where there is no GPU. A video is a
task, which decodes, calls the actors, and commits as every engine does (`index.indexing.jobs`). Ray restarts an actor
that dies and retries its task; a video whose task dies continues from its journal, on any machine that sees the same
disk. Values between tasks and actors lie in Ray's object store, which spills to disk.

All machines see the videos at the same paths and have the same weights. The result of a model does not depend on the
other requests of its actor.
"""

import logging
import os
import re
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from ...tools.errors import FleetError, LibraryError, MissingExtraError, PlayheadError, SettingsError, WeightsError
from ...tools.extractors.captions import Captioner
from ...tools.extractors.registry import spec_of, stage_names
from ...tools.extractors.speech import TranscribedWord, Window
from ...tools.llm.backends import is_set
from ...tools.media.audio import RATE
from ...tools.records import Frame, Modality, Observation, Span, clean_text
from ...tools.settings import Settings
from ..records import VideoRecord
from ..storage.backend import StorageBackend
from .extractor_set import Extractors
from .jobs import Job, JobProgress, Outcome, extract_and_commit

if TYPE_CHECKING:
    from ray import ObjectRef

__all__ = ["Fleet"]

# Retries of a task or a call whose process died.
RETRIES = 3
# Videos at once for each GPU: one core decodes at 50 times real time, a GPU takes several such streams.
_VIDEOS_A_GPU = 4
_CONNECT_SECONDS = 10.0
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_TICK_SECONDS = 0.2
_PROGRESS_SECONDS = 0.5
# The text encoder among the models: the others are named by their modality.
_TEXTS = "texts-encoder"


@dataclass(frozen=True)
class _Facts:
    """Facts about an extractor that do not need its weights."""

    source: str = ""
    embedding_id: str = ""
    fingerprint: str = ""


@dataclass
class _Proxy:
    """Calls an extractor in an actor: the same methods, the same results."""

    source: str
    embedding_id: str
    fingerprint: str
    actor: Any = None
    floor: float = field(default=0.0, init=False)  # only search reads it

    def process_window(self, window: Window, progress: Callable[[float], None]) -> list[TranscribedWord]:
        words: list[TranscribedWord] = self._call("process_window", window)
        progress(window.start + len(window.samples) / RATE)
        return words

    def observe(self, segments: Any) -> Any:
        return self._call("observe", segments)

    def encode_all(self, texts: Any) -> Any:
        return self._call("encode_all", texts)

    def _call(self, method: str, argument: Any) -> Any:
        import ray
        from ray.exceptions import RayError, RayTaskError

        try:
            return ray.get(self.actor.call.remote(method, argument))
        except RayTaskError as error:
            raise error.cause from error
        except RayError as error:
            raise FleetError(f"{self.source} does not answer on the cluster: {_line(error)}") from error


class _LazyCaptioner:
    """A captioner made at its first call, in the process that calls it: a client of a server, not a model."""

    def __init__(self, settings: Settings, source: str, fingerprint: str) -> None:
        self.source, self.fingerprint = source, fingerprint
        self._settings = settings

    def caption(self, span: Span, frames: Sequence[Frame]) -> Observation:
        return self._captioner.caption(span, frames)

    @cached_property
    def _captioner(self) -> Captioner:
        return Captioner(self._settings)


class _Model:
    """An actor: one extractor in its own process."""

    def __init__(self, settings: Settings, part: str) -> None:
        others = tuple(name for name in stage_names() if name != part)
        gathered = Extractors.gather(settings.model_copy(update={"skip": others}))
        self._extractor: Any = gathered.texts if part == _TEXTS else gathered.get(part)
        if self._extractor is None:
            why = gathered.texts_missing if part == _TEXTS else gathered.missing[part]
            raise WeightsError(f"a machine of the cluster lacks what others have: {why}")

    def call(self, method: str, argument: Any) -> Any:
        if method == "process_window":
            return self._extractor.process_window(argument, _ignore_progress)
        return getattr(self._extractor, method)(argument)


class Fleet:
    """A Ray cluster that indexes; `run` is an engine of `index.indexing.build.index_files`.

    Example:
        with Fleet(Settings(), address="auto") as fleet:
            index_files(store, paths, fleet.extractors, False, progress, fleet.run)
    """

    def __init__(self, settings: Settings, address: str | None = None, workers: int | None = None) -> None:
        """Join a cluster, or start one on this machine, and find the extractors there.

        Args:
            settings: Settings for all machines.
            address: `auto`, `HOST:PORT` or `ray://HOST:PORT` of a running cluster; None: start one on this machine.
            workers: Concurrent videos; None: four for each GPU, at most one for each core; without a GPU one for two cores.

        Raises:
            MissingExtraError: Ray is not installed.
            SettingsError: There is no such cluster, no room for one worker, or a setting cannot be used there.
        """
        if workers is not None and workers < 1:
            raise SettingsError(f"workers={workers}: at least 1 is needed")
        if settings.video_llm_backend == "transformers" and is_set(settings):
            raise SettingsError(
                "video_llm_backend='transformers': each worker would load the model; serve it, and set video_llm_url"
            )
        self._settings = settings
        self._ray = _started(address, workers)
        try:
            resources = self._ray.cluster_resources()
            cores, gpus = int(resources.get("CPU", 0)), int(resources.get("GPU", 0))
            self._gpus = 0 if settings.device == "cpu" else gpus
            if settings.device == "cuda" and not gpus:
                raise SettingsError("device='cuda', but no machine of the cluster has a GPU: set device to auto or cpu")
            usual = min(cores, _VIDEOS_A_GPU * self._gpus) if self._gpus else cores // 2
            self.workers = workers or max(1, usual)
            self._threads = max(1, cores // self.workers)
            if cores < 1:
                raise SettingsError(f"the Ray cluster {address} has no CPU for a worker: add a machine, or free one")
            self.extractors = self._described()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the cluster; a cluster started here ends. Running videos stop; their journals stay."""
        self._ray.shutdown()

    def run(
        self, storage: StorageBackend, extractors: Extractors, work: Iterator[Job | Outcome], progress: JobProgress
    ) -> Iterator[Outcome | tuple[Job, VideoRecord | PlayheadError]]:
        """Run several videos at once, as an `index.indexing.jobs.Engine`; yield each when it is done.

        Raises:
            LibraryError: The library cannot be written.
        """
        ray = self._ray
        sets = [self._placed(extractors) for _ in range(self._gpus or self.workers)]
        videos_of: Counter[int] = Counter()  # running videos of each set
        task = ray.remote(num_cpus=1, max_retries=RETRIES)(_extract)
        board = ray.remote(num_cpus=0, max_restarts=-1)(_Board).remote()
        running: dict[ObjectRef, tuple[Job, int]] = {}
        has_more = True
        while running or has_more:
            while has_more and len(running) < self.workers:
                job = next(work, None)
                if job is None:
                    has_more = False
                elif isinstance(job, Outcome):
                    yield job
                else:
                    at = min(range(len(sets)), key=lambda n: videos_of[n])
                    videos_of[at] += 1
                    running[task.remote(storage, sets[at], job, board)] = job, at
            if not running:
                return
            done, _ = ray.wait(list(running), timeout=_TICK_SECONDS)
            progresses = dict(self._read(board.read.remote(), {}))
            for job, _ in running.values():
                if job.number in progresses:
                    progress(job, *progresses[job.number])
            for ref in done:
                job, at = running.pop(ref)
                videos_of[at] -= 1
                yield job, self._result(ref, job)

    def _result(self, ref: "ObjectRef", job: Job) -> VideoRecord | PlayheadError:
        from ray.exceptions import RayError, RayTaskError

        try:
            result: VideoRecord | PlayheadError = self._ray.get(ref)
        except RayTaskError as error:
            if isinstance(error.cause, LibraryError):
                raise error.cause from error
            return FleetError(f"{job.file}: {type(error.cause).__name__}: {_line(error.cause)}")
        except RayError as error:
            return FleetError(
                f"{job.file}: no worker finished it in {RETRIES + 1} tries ({_line(error)}): if memory ran out, index with "
                "fewer workers; run again to continue it"
            )
        return result

    def _read(self, ref: "ObjectRef", default: Any) -> Any:
        """The result of an optional call; the default if its actor died."""
        from ray.exceptions import RayError

        try:
            return self._ray.get(ref, timeout=_TICK_SECONDS)
        except RayError:
            return default

    def _described(self) -> Extractors:
        """The extractors of a worker, as proxies that have no actor yet."""
        from ray.exceptions import RayError, RayTaskError

        on_a_worker = self._ray.remote(num_cpus=1, num_gpus=0.1 if self._gpus else 0)(_gathered)
        try:
            facts, missing, texts_missing, at_once = self._ray.get(on_a_worker.remote(self._settings))
        except RayTaskError as error:
            if isinstance(error.cause, PlayheadError):
                raise error.cause from error
            raise
        except RayError as error:
            raise SettingsError(f"no worker of the Ray cluster can run Playhead: {_line(error)}") from error
        parts: dict[str, Any] = {
            part: _Proxy(one.source, one.embedding_id, one.fingerprint)
            if _has_actor(part)
            else _LazyCaptioner(self._settings, one.source, one.fingerprint)
            for part, one in facts.items()
        }
        texts = parts.pop(_TEXTS, None)
        return Extractors(self._settings, parts, missing, texts, texts_missing, at_once)

    def _placed(self, extractors: Extractors) -> Extractors:
        """The same extractors with actors, for one GPU or one concurrent video; on one machine where it has room.

        Raises:
            SettingsError: None can be started.
        """
        from ray.exceptions import RayError
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        model = self._ray.remote(_Model)
        options = {
            "num_cpus": 0,
            "max_restarts": -1,
            "max_task_retries": RETRIES,
            "runtime_env": {"env_vars": {"OMP_NUM_THREADS": str(self._threads)}},  # else Ray gives each model one
        }
        placed: dict[str, Any] = {}
        where: Any = "SPREAD"
        models: dict[str, Any] = {part: one for part, one in extractors.by_modality.items() if _has_actor(part)}
        if extractors.texts is not None:
            models[_TEXTS] = extractors.texts
        share = 1 / len(models) if self._gpus and models else 0  # a set of models shares a GPU
        for part, proxy in models.items():
            actor = model.options(**options, num_gpus=share, scheduling_strategy=where).remote(self._settings, part)
            if where == "SPREAD":
                try:
                    node = self._ray.get(actor.__ray_call__.remote(_node))
                except RayError as error:
                    raise SettingsError(f"no model can be started on the Ray cluster: {_line(error)}") from error
                where = NodeAffinitySchedulingStrategy(node, soft=True)
            placed[part] = replace(proxy, actor=actor)
        texts = placed.pop(_TEXTS, None)
        return replace(extractors, by_modality={**extractors.by_modality, **placed}, texts=texts)


class _Board:
    """An actor: the latest progress of each video."""

    def __init__(self) -> None:
        self._latest: dict[int, tuple[str, float, float]] = {}

    def write(self, number: int, stage: str, done: float, total: float) -> None:
        self._latest[number] = (stage, done, total)

    def read(self) -> dict[int, tuple[str, float, float]]:
        latest, self._latest = self._latest, {}
        return latest


def _extract(storage: StorageBackend, extractors: Extractors, job: Job, board: Any) -> VideoRecord | PlayheadError:
    """A task: index one video."""
    last = [-_PROGRESS_SECONDS]

    def progress(stage: str, done: float, total: float) -> None:
        if time.monotonic() - last[0] >= _PROGRESS_SECONDS:
            last[0] = time.monotonic()
            board.write.remote(job.number, stage, done, total)

    storage.create()  # cleans up after a task that died
    return extract_and_commit(storage, extractors, job, progress)


def _has_actor(part: str) -> bool:
    """Whether a model runs in an actor; a captioner is only the client of a server."""
    return part == _TEXTS or spec_of(part).reads != "scenes"


def _gathered(settings: Settings) -> tuple[dict[str, _Facts], Mapping[Modality, str], str | None, int]:
    """A task: the extractors of a worker, and what is missing there."""
    gathered = Extractors.gather(settings)
    parts: dict[str, Any] = dict(gathered.by_modality)
    if gathered.texts is not None:
        parts[_TEXTS] = gathered.texts
    known = ("source", "embedding_id", "fingerprint")
    facts = {part: _Facts(**{name: getattr(one, name, "") for name in known}) for part, one in parts.items()}
    return facts, gathered.missing, gathered.texts_missing, gathered.at_once


def _node(_: _Model) -> str:
    import ray

    node: str = ray.get_runtime_context().get_node_id()
    return node


def _started(address: str | None, workers: int | None) -> Any:
    """Connect to Ray, or start it; return the module."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ModuleNotFoundError as error:
        raise MissingExtraError("the engine 'ray'", "ray", "ray") from error
    if ray.is_initialized():
        raise SettingsError("this process uses Ray already: call ray.shutdown() first, or index without the engine ray")
    if address:
        _check(address)
    here = {"num_cpus": max(workers or 0, os.cpu_count() or 1), "include_dashboard": False}
    logging.getLogger("ray").setLevel(logging.ERROR)  # its own messages concern cluster administrators
    try:
        ray.init(logging_level=logging.ERROR, log_to_driver=False, **({"address": address} if address else here))
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        raise _no_cluster(address, error) from error
    return ray


def _check(address: str) -> None:
    """Check that a server listens at the address: Ray itself would wait for half an hour.

    Raises:
        SettingsError: No server listens there.
    """
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS):
            return
    except (OSError, ValueError) as error:
        raise _no_cluster(address, error) from error


def _no_cluster(address: str | None, error: Exception) -> SettingsError:
    return SettingsError(
        f"the Ray cluster {address!r} cannot be joined ({_line(error)}): give HOST:PORT as `ray start` prints it, "
        "or no address to use this machine only"
    )


def _line(error: BaseException) -> str:
    """The one line of a Ray error that states the reason."""
    lines = [line for line in map(clean_text, _ANSI.sub("", str(error)).splitlines()) if line]
    if not lines:
        return type(error).__name__
    is_creation = "creation task" in lines[0]  # then a traceback follows
    return lines[-1 if is_creation else 0][:300]


def _ignore_progress(done_until: float) -> None:
    """The board shows the progress of videos, not of calls."""

"""The catalog of language models: name, size, memory, licence, picture input, and source."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..weight_packages import KNOWN
from ..weights import has_local_copy

__all__ = ["CATALOG", "CatalogModel", "entry", "free_memory_bytes"]

GB = 1_000_000_000


@dataclass(frozen=True)
class CatalogModel:
    """A model that `playhead model list` shows. All run in llama.cpp, as GGUF files with 4-bit weights (Q4_K_M).

    Attributes:
        name: The plain name, as in `playhead model use NAME`.
        file_bytes: Size of all its files.
        memory_bytes: Memory for the weights and a context of 8,192 tokens.
        licence: SPDX name.
        sees_pictures: Whether frames can be sent to it.
        parameters: Number of weights, in billions.
        note: What was measured with it, or that it was not run.
    """

    name: str
    file_bytes: int
    memory_bytes: int
    licence: str
    sees_pictures: bool
    parameters: float
    note: str

    @property
    def origin(self) -> Literal["packages", "hub"]:
        """Where `playhead model pull` gets it."""
        return "packages" if KNOWN[self.name].joined is not None else "hub"

    @property
    def is_local(self) -> bool:
        """Whether it can be used without a network."""
        return has_local_copy(self.name)


CATALOG: Sequence[CatalogModel] = (
    CatalogModel(
        "qwen2.5-coder-1.5b",
        1_117_320_768,
        1_500_000_000,
        "Apache-2.0",
        False,
        1.5,
        "composes well and judges badly: retrieval decides where, it says what",
    ),
    CatalogModel(
        "qwen2.5-coder-0.5b",
        491_400_064,
        750_000_000,
        "Apache-2.0",
        False,
        0.5,
        "for tests: it answers most questions that have no answer",
    ),
    CatalogModel("qwen3-vl-2b", 1_900_000_000, 3 * GB, "Apache-2.0", True, 2.0, "not run by Playhead's tests"),
    CatalogModel("qwen3-vl-4b", 3_300_000_000, 5 * GB, "Apache-2.0", True, 4.0, "not run by Playhead's tests"),
    CatalogModel("qwen3-vl-8b", 6_200_000_000, 9 * GB, "Apache-2.0", True, 8.0, "not run by Playhead's tests"),
)


def entry(name: str) -> CatalogModel | None:
    """The model of this plain name; None: the catalog has none."""
    return next((model for model in CATALOG if model.name == name), None)


def free_memory_bytes() -> int | None:
    """Memory that a new process can use, in bytes; None where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        return None
    return None

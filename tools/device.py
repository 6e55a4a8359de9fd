"""Which device models run on, and how. An explicit choice that cannot be had is an error, never a substitute."""

import ctypes
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from .errors import SettingsError
from .settings import Settings

if TYPE_CHECKING:
    import torch

__all__ = ["cores", "inferring", "moved", "resolve_device"]


def resolve_device(settings: Settings) -> Literal["cpu", "cuda"]:
    """`cuda` or `cpu` as set; `auto` takes cuda where torch sees one.

    Raises:
        SettingsError: cuda was asked for and there is none.
    """
    if settings.device == "cpu":
        return "cpu"
    has_cuda = False
    if importlib.util.find_spec("torch") is not None and _has_cuda_driver():
        import torch

        has_cuda = torch.cuda.is_available()
    if settings.device == "cuda" and not has_cuda:
        raise SettingsError("device='cuda', but torch sees no CUDA device: set device to 'cpu' or 'auto'")
    return "cuda" if has_cuda else "cpu"


def cores() -> int:
    """CPU cores that this process may use: as many as OMP_NUM_THREADS says (as for torch), else all of the machine."""
    told = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(told) if told.isdecimal() and int(told) else os.cpu_count() or 1


def _has_cuda_driver() -> bool:
    """Whether NVIDIA's driver is installed. Without it torch, which takes 1.7 s to import, sees no device."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


@contextmanager
def inferring(device: str) -> Iterator[None]:
    """For running a torch model: without gradients, on CUDA in mixed precision (float16 where that is safe)."""
    import torch

    with torch.inference_mode(), torch.autocast("cuda", dtype=torch.float16, enabled=device == "cuda"):
        yield


def moved(tensor: "torch.Tensor", device: str) -> "torch.Tensor":
    """A tensor on a device; to CUDA from pinned memory, so that the copy runs beside other work."""
    return tensor.pin_memory().to(device, non_blocking=True) if device == "cuda" else tensor.to(device)

"""The device that models run on. An explicit choice that is not available is an error; no other device is used instead."""

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

__all__ = ["cores", "resolve_device", "to_device", "torch_inference"]


def resolve_device(settings: Settings) -> Literal["cpu", "cuda"]:
    """Return `cuda` or `cpu`: the setting, or for `auto` cuda if torch finds a device.

    Raises:
        SettingsError: The setting is cuda and torch finds no device.
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
    """CPU cores that this process may use: OMP_NUM_THREADS if it is set (torch reads it, too), else all cores."""
    limit = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(limit) if limit.isdecimal() and int(limit) else os.cpu_count() or 1


def _has_cuda_driver() -> bool:
    """Whether NVIDIA's driver is installed. Without it torch, which takes 1.7 s to import, sees no device."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


@contextmanager
def torch_inference(device: str) -> Iterator[None]:
    """Run a torch model without gradients; on CUDA in mixed precision (float16 where torch considers it safe)."""
    import torch

    with torch.inference_mode(), torch.autocast("cuda", dtype=torch.float16, enabled=device == "cuda"):
        yield


def to_device(tensor: "torch.Tensor", device: str) -> "torch.Tensor":
    """Copy a tensor to a device; to CUDA from pinned memory, so that the copy is asynchronous."""
    return tensor.pin_memory().to(device, non_blocking=True) if device == "cuda" else tensor.to(device)

"""Which device models run on. An explicit choice that cannot be had is an error, never a substitute."""

import importlib.util
from typing import Literal

from .errors import SettingsError
from .settings import Settings

__all__ = ["resolve_device"]


def resolve_device(settings: Settings) -> Literal["cpu", "cuda"]:
    """`cuda` or `cpu` as set; `auto` takes cuda where torch sees one.

    Raises:
        SettingsError: cuda was asked for and there is none.
    """
    if settings.device == "cpu":
        return "cpu"
    has_cuda = False
    if importlib.util.find_spec("torch") is not None:
        import torch

        has_cuda = torch.cuda.is_available()
    if settings.device == "cuda" and not has_cuda:
        raise SettingsError("device='cuda', but torch sees no CUDA device: use --device cpu or auto")
    return "cuda" if has_cuda else "cpu"

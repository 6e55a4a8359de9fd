"""Data sets as their authors publish them, read to one record; nothing is downloaded, and no video is needed to read."""

from .base import Dataset
from .registry import ADAPTERS, load

__all__ = ["ADAPTERS", "Dataset", "load"]

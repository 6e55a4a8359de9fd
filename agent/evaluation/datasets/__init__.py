"""Reads data sets in their authors' formats into one record. Downloads nothing, and needs no video."""

from .base import Dataset
from .registry import ADAPTERS, load

__all__ = ["ADAPTERS", "Dataset", "load"]

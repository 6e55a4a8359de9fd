"""What of the machine is used."""

import os

import pytest

from playhead.tools.device import cores


@pytest.mark.parametrize(
    ("setting", "used"), [("3", 3), ("4,2", 4), (" 1 ", 1), ("0", None), ("many", None), ("", None)]
)
def test_cores_are_those_that_the_environment_allows_or_all(setting, used, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", setting)
    assert cores() == (used or os.cpu_count())
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert cores() == os.cpu_count()

"""What all tests share: a user without settings, and the real data that may lie beside the repository."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True, scope="session")
def _no_user_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No setting of whoever runs the tests counts; their cache does, for joined weights lie there."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("PLAYHEAD_")]:
            patch.delenv(name)
        patch.setenv("PLAYHEAD_SETTINGS_FILE", str(tmp_path_factory.mktemp("settings") / "missing.toml"))
        yield


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """The path of a file of real data, e.g. `videos/nasa.mp4`; skips the test where there is none."""

    def find(name: str) -> Path:
        path = _DATA / name
        if not path.exists():
            pytest.skip(f"real data {name} is not beside the repository (../shared/data)")
        return path

    return find

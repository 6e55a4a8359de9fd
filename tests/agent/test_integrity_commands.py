"""`playhead verify` and `playhead repair` on the command line."""

import json
import sys
from pathlib import Path

import pytest

from playhead.agent.cli.main import main
from playhead.index.storage.local import LocalStorage

from ..fakes import commit, observation

VIDEO = "ab" * 16


@pytest.fixture
def store(tmp_path: Path) -> LocalStorage:
    made = LocalStorage(tmp_path / "talks" / ".playhead")
    made.create()
    commit(made, [observation("gold")])
    return made


def run(capsys, monkeypatch, *arguments: object) -> tuple[object, str, str]:
    monkeypatch.setattr(sys, "argv", ["playhead", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        main()
    shown = capsys.readouterr()
    return left.value.code or 0, shown.out, shown.err


def test_verify_names_damaged_files_and_fails(store, capsys, monkeypatch):
    place = store.folder.parent
    assert run(capsys, monkeypatch, "verify", place, "--deep") == (0, "", "no damage · checked every file\n")
    file = store.videos_folder / VIDEO / "v-1" / "observations.parquet"
    content = bytearray(file.read_bytes())
    content[9] ^= 1
    file.write_bytes(content)
    assert run(capsys, monkeypatch, "verify", place)[:2] == (0, "")
    reason = "has another checksum than when it was committed"
    name = f"videos/{VIDEO}/v-1/observations.parquet"
    code, out, err = run(capsys, monkeypatch, "verify", place, "--deep")
    assert (code, out) == (1, f"{name}: {reason}\n")
    assert err == "1 damaged: run `playhead repair` · checked every file\n"
    code, out, _ = run(capsys, monkeypatch, "verify", place, "--deep", "--json")
    assert (code, json.loads(out)) == (1, [{"name": name, "reason": reason, "video_id": VIDEO}])


def test_repair_restores_a_record_and_names_what_it_cannot(store, capsys, monkeypatch):
    place = store.folder.parent
    current = store.videos_folder / VIDEO / "video.json"
    whole = current.read_bytes()
    current.write_bytes(whole[:-9])
    code, out, _ = run(capsys, monkeypatch, "repair", place)
    assert (code, current.read_bytes()) == (0, whole)
    assert "its record was restored from a copy" in out
    assert run(capsys, monkeypatch, "repair", place) == (0, "", "no damage\n")
    (store.videos_folder / VIDEO / "v-1" / "observations.parquet").unlink()
    code, _, err = run(capsys, monkeypatch, "repair", place)
    assert code == 1
    assert "its media file is not here: put it back and run `playhead repair` again" in err

"""Media files of object storage are fetched once, with what lies beside them, from a real S3 server in this process."""

from pathlib import Path

import pytest

from playhead.agent.sources.fetching import fetch
from playhead.agent.sources.records import FetchLimits


def run(url: str, folder: Path, **limits):
    return list(fetch([url], folder, FetchLimits(**limits), lambda *_: None))


@pytest.fixture
def stored(client, bucket) -> str:
    for name, content in {
        "talks/a/one.mp4": b"1" * 1000, "talks/a/one.en.srt": b"sub", "talks/a/one.json": b"{}",
        "talks/two.mkv": b"2" * 2000, "talks/readme.txt": b"x",
    }.items():  # fmt: skip
        client.put_object(Bucket=bucket.bucket, Key=name, Body=content)
    return f"s3://{bucket.bucket}/talks"


def test_object_storage(stored: str, tmp_path: Path):
    found = run(stored, tmp_path)
    assert sorted((one.title, one.state) for one in found) == [("one", "fetched"), ("two", "fetched")]
    one = next(one.path for one in found if one.title == "one")
    assert one.read_bytes() == b"1" * 1000
    assert sorted(path.name.removeprefix(one.stem) for path in tmp_path.glob("one*")) == [".en.srt", ".json", ".mp4"]
    assert [one.state for one in run(stored, tmp_path)] == ["known", "known"]
    (single,) = run(f"{stored}/two.mkv", tmp_path / "single")
    assert (single.state, single.path.read_bytes()) == ("fetched", b"2" * 2000)
    assert [one.state for one in run(stored, tmp_path / "small", size=1500)] == ["skipped", "fetched"]
    (missing,) = run(f"{stored}/none", tmp_path)
    assert missing.state == "failed"
    assert missing.detail == f"{stored}/none holds no video or sound file: check the address"

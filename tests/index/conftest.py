"""Places for libraries below URLs: a folder, and a bucket of a real S3 server in this process."""

import logging
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class SharedFolder:
    """A place for a library, as somebody else sees it who does not use fsspec."""

    folder: Path

    @property
    def url(self) -> str:
        return f"file://{self.folder}"

    def write(self, name: str, content: bytes) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(content)

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def delete(self, name: str) -> None:
        (self.folder / name).unlink()

    def names(self) -> set[str]:
        return {path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file()}


@dataclass(frozen=True)
class Bucket:
    """The same on S3."""

    client: Any
    bucket: str

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/talks"

    def write(self, name: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=f"talks/{name}", Body=content)

    def read(self, name: str) -> bytes:
        return self.client.get_object(Bucket=self.bucket, Key=f"talks/{name}")["Body"].read()

    def delete(self, name: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=f"talks/{name}")

    def names(self) -> set[str]:
        listed = self.client.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return {one["Key"].removeprefix("talks/") for one in listed}


def _fsspec():
    return pytest.importorskip("fsspec", reason="fsspec is not installed: pip install 'playhead[remote]'")


@pytest.fixture(scope="session")
def endpoint():
    """A real S3 server in this process, as fsspec's environment names it to all tests."""
    pytest.importorskip("s3fs", reason="s3fs is not installed: pip install 'playhead[remote]'")
    server = pytest.importorskip("moto.server", reason="moto is not installed: pip install 'moto[server]'")
    served = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    served.start()
    host, port = served.get_host_and_port()
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # not a line a request
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "tester")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("FSSPEC_S3_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setitem(_fsspec().config.conf, "s3", {"endpoint_url": f"http://{host}:{port}"})  # it read that at import
        yield f"http://{host}:{port}"
    served.stop()


@pytest.fixture(scope="session")
def client(endpoint):
    import boto3

    return boto3.client("s3", endpoint_url=endpoint)


@pytest.fixture
def bucket(client):
    made = Bucket(client, f"b-{uuid.uuid4().hex}")
    made.client.create_bucket(Bucket=made.bucket)
    return made


@pytest.fixture
def shared(tmp_path):
    return SharedFolder(tmp_path / "shared" / "talks")


@pytest.fixture(params=["shared", "bucket"])
def place(request):
    return request.getfixturevalue(request.param)

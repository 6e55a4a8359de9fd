"""Vectors in LanceDB: in a folder and on an S3 server, compared with brute force; snapshots are its versions."""

import numpy as np
import pytest

from playhead.index.retrieval.search import Search
from playhead.index.retrieval.search_index.publishing import Publisher
from playhead.index.retrieval.vectors import lance_index as lance
from playhead.index.storage.local import LocalStorage
from playhead.tools.embedding.protocol import unit
from playhead.tools.settings import Settings

from ..fakes import BagOfWords, commit, observation

pytest.importorskip("lancedb")

DIMENSIONS = 32


def clustered(count):
    random = np.random.default_rng(0)
    centres = random.normal(size=(40, DIMENSIONS))
    vectors = centres[random.integers(0, 40, count)] + 0.5 * random.normal(size=(count, DIMENSIONS))
    return unit(vectors).astype(np.float16)


def best(vectors, query, k, allowed):
    scores = vectors.astype(np.float32) @ query
    scores[~allowed] = -2
    return (np.argsort(-scores)[:k] + 1).tolist()


def recall(index, vectors, allowed, ranges=None):
    queries = vectors[::97].astype(np.float32)
    shares = [len({*index.search(q, 10, ranges)[0].tolist()} & {*best(vectors, q, 10, allowed)}) / 10 for q in queries]
    return float(np.mean(shares))


@pytest.fixture(params=["folder", "s3"])
def address(request, tmp_path):
    if request.param == "folder":
        return str(tmp_path / "vectors"), None
    moto = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    request.addfinalizer(server.stop)  # noqa: PT021 (the other parameter has no server)
    host, port = server.get_host_and_port()
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1", **keys).create_bucket(
        Bucket="library"
    )
    options = keys | {"aws_endpoint": f"http://{host}:{port}", "allow_http": "true", "aws_region": "us-east-1"}
    return "s3://library/vectors", options


def test_it_is_brute_force_and_keeps_its_versions(address, monkeypatch):
    monkeypatch.setattr(lance, "_MAX_COMPARED", 1500)
    place, options = address
    vectors = clustered(2000)
    index = lance.LanceIndex(DIMENSIONS, place, "speech", options)
    for first in (0, 1000):
        index.add(vectors[first : first + 1000], np.arange(first, first + 1000) + 1)
        index.save()
    everything = np.ones(2000, bool)
    assert recall(index, vectors, everything) == 1.0
    assert index.maintain()  # cells are trained
    saved = index.save()
    assert recall(index, vectors, everything) >= 0.95
    ranges = np.array([[101, 300], [901, 950]])
    allowed = np.zeros(2000, bool)
    allowed[100:300] = allowed[900:950] = True
    assert recall(index, vectors, allowed, ranges) >= 0.95
    index.remove(np.array([[1, 500]]))
    assert len(index) == 1500
    allowed = np.arange(2000) >= 500
    assert recall(index, vectors, allowed) >= 0.95
    known, own = index.vectors_of(np.array([7, 700, 5000]))
    assert known.tolist() == [700]
    assert own == pytest.approx(vectors[699:700].astype(np.float32))
    earlier = lance.LanceIndex.load(saved, options)
    assert len(earlier) == 2000
    assert earlier.vectors_of(np.array([7]))[0].tolist() == [7]
    undone = lance.LanceIndex.load(saved, options, for_writing=True)
    assert len(undone) == 2000


def test_a_library_moves_its_vectors_there_and_back(tmp_path):
    storage = LocalStorage(tmp_path / "library")
    storage.create()
    commit(storage, [observation("gold one"), observation("silver", 5)], BagOfWords())
    before = Search(storage, Settings(), BagOfWords()).find("gold one")
    Publisher(storage, vectors_at=str(tmp_path / "vectors")).publish(maintain=True)
    assert not list(storage.derived_folder.glob("*.faiss"))
    search = Search(storage, Settings(), BagOfWords())
    found = search.find("gold one")
    assert [one.evidence_id for one in found] == [one.evidence_id for one in before]
    # LanceDB has 16 bits a number, the library's own folder 8.
    assert [one.similarity for one in found] == pytest.approx([one.similarity for one in before], abs=2e-3)
    assert [one.score for one in found] == pytest.approx([one.score for one in before], abs=2e-3)
    commit(storage, [observation("gold two")], BagOfWords(), video_id="cd" * 16)
    assert {one.text for one in search.find("gold")} == {"gold one", "gold two"}
    assert not list(storage.derived_folder.glob("*.faiss"))
    Publisher(storage, vectors_at="here").publish(maintain=True)
    assert list(storage.derived_folder.glob("*.faiss"))
    assert {one.text for one in Search(storage, Settings(), BagOfWords()).find("gold")} == {"gold one", "gold two"}

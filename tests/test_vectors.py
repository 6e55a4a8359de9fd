"""Nearest vectors: FAISS against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playhead.index.vectors import VectorIndex, faiss_state
from playhead.tools.embed import unit
from playhead.tools.errors import LibraryError

NOTHING = np.zeros(0, np.int64)


def random_index(seed, count, dimensions, repeats):
    """Random unit vectors under random ids; with `repeats`, many are the same."""
    random = np.random.default_rng(seed)
    vectors = unit(random.normal(size=(count, dimensions)))
    if repeats:
        vectors = vectors[random.integers(0, max(1, count // 4), count)]
    ids = random.choice(10 * count + 10, count, replace=False).astype(np.int64)
    index = VectorIndex(dimensions)
    index.add(vectors, ids)
    return index, vectors, ids, random


def brute(vectors, ids, query, k, among=None):
    """Scores of the best, best first."""
    chosen = np.ones(len(ids), bool) if among is None else np.isin(ids, among)
    return np.sort(vectors[chosen] @ query)[::-1][:k]


def check(index, vectors, ids, query, k, among=None):
    """The same scores as brute force, and each id has the score that it is given."""
    found, scores = index.search(query, k, among)
    assert scores == pytest.approx(brute(vectors, ids, query, k, among), abs=1e-5)
    assert len(set(found.tolist())) == len(found)
    by_id = dict(zip(ids.tolist(), vectors, strict=True))
    assert scores == pytest.approx([by_id[i] @ query for i in found.tolist()], abs=1e-5)
    if among is not None:
        assert set(found.tolist()) <= set(among.tolist())


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 400),
    dimensions=st.sampled_from([1, 3, 24, 384]),
    k=st.sampled_from([1, 2, 10, 1000]),
    repeats=st.booleans(),
)
def test_search_is_brute_force(seed, count, dimensions, k, repeats):
    index, vectors, ids, random = random_index(seed, count, dimensions, repeats)
    query = unit(random.normal(size=(1, dimensions)))[0]
    check(index, vectors, ids, query, k)
    among = np.concatenate([random.choice(ids, count // 2, replace=False), [10**12, 5 * 10**11]]).astype(np.int64)
    check(index, vectors, ids, query, k, among)
    gone = random.choice(ids, count // 3, replace=False)
    index.remove(np.concatenate([gone, [10**12]]))
    kept = ~np.isin(ids, gone)
    assert len(index) == kept.sum()
    check(index, vectors[kept], ids[kept], query, k)
    check(index, vectors[kept], ids[kept], query, k, among)
    more = unit(random.normal(size=(5, dimensions)))
    index.add(more, np.arange(5) + 10**9)
    vectors, ids = np.concatenate([vectors[kept], more]), np.concatenate([ids[kept], np.arange(5) + 10**9])
    check(index, vectors, ids, query, k)


def test_similarities_in_the_third_decimal_keep_their_order():
    """As of frames: exact, where quantised indexes would lose the best."""
    base, side = np.linalg.qr(np.random.default_rng(0).normal(size=(384, 2)))[0].T
    cosines = 1 - 0.001 * np.arange(500)[:, None]
    index = VectorIndex(384)
    index.add(unit(cosines * base + np.sqrt(1 - cosines**2) * side), np.arange(500))
    found, scores = index.search(base.astype(np.float32), 500)
    assert found.tolist() == list(range(500))
    assert scores == pytest.approx(cosines[:, 0], abs=1e-5)


def test_few_and_none():
    index = VectorIndex(4)
    query = unit(np.ones((1, 4)))[0]
    assert index.search(query, 3)[0].tolist() == []
    index.add(np.eye(4, dtype=np.float32)[:2], np.array([7, 9]))
    assert sorted(index.search(query, 3)[0].tolist()) == [7, 9]
    assert index.search(query, 0)[0].tolist() == []
    assert index.search(query, 3, NOTHING)[0].tolist() == []
    assert index.search(query, 3, np.array([8]))[0].tolist() == []
    assert index.search(query, 1, np.array([9, 9, 8]))[0].tolist() == [9]
    index.remove(np.array([7, 9]))
    assert len(index) == 0
    assert index.search(query, 3)[0].tolist() == []


@pytest.mark.parametrize("shape", [(2, 3), (2, 5), (4,), (1, 1, 4), (0, 3)])
def test_a_wrong_shape_is_told(shape):
    index = VectorIndex(4)
    with pytest.raises(ValueError, match="vectors of 4 dimensions expected, got an array of shape"):
        index.add(np.zeros(shape, np.float32), np.arange(2))
    if shape[0] != 0:
        with pytest.raises(ValueError, match="vectors of 4 dimensions expected"):
            index.search(np.zeros(shape[1:], np.float32) if len(shape) == 2 else np.zeros(shape, np.float32)[:3], 1)
    with pytest.raises(ValueError, match="2 ids expected"):
        index.add(np.zeros((2, 4), np.float32), np.arange(3))
    assert len(index) == 0


def test_what_is_saved_comes_back(tmp_path):
    index, vectors, ids, random = random_index(0, 300, 24, repeats=False)
    index.save(tmp_path / "a.faiss")
    again = VectorIndex.load(tmp_path / "a.faiss")
    (tmp_path / "a.faiss").unlink()
    query = unit(random.normal(size=(1, 24)))[0]
    assert (len(again), again.dimensions) == (300, 24)
    check(again, vectors, ids, query, 20)
    again.remove(ids[:200])
    check(again, vectors[200:], ids[200:], query, 20)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_index_comes_back(tmp_path):
    VectorIndex(3).save(tmp_path / "a.faiss")
    assert len(VectorIndex.load(tmp_path / "a.faiss")) == 0


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_a_damaged_file_is_told(tmp_path_factory, data):
    """FAISS itself would take damaged lengths as they are, and ask for all memory."""
    path = tmp_path_factory.getbasetemp() / "damaged.faiss"
    random_index(0, 5, 4, repeats=False)[0].save(path)
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content = content[:place]
    else:
        content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    with pytest.raises(LibraryError, match="delete it, it is made again"):
        VectorIndex.load(path)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(LibraryError, match="cannot be read"):
        VectorIndex.load(tmp_path / "none.faiss")


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.faiss"
    random_index(0, 5, 4, repeats=False)[0].save(path)
    before = path.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.replace", full)
        with pytest.raises(OSError, match="No space left"):
            random_index(1, 9, 4, repeats=False)[0].save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_installed_is_told():
    assert "CPU" in faiss_state() or "GPU" in faiss_state()

"""Nearest vectors: FAISS against brute force."""

import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from playhead.index.retrieval.vectors import faiss_index as policy
from playhead.index.retrieval.vectors.centroids import grouped_quantizer_of, nearest_centroids, trained
from playhead.index.retrieval.vectors.faiss_index import VectorIndex, faiss_state
from playhead.index.retrieval.vectors.segments import VectorSegment
from playhead.tools.embedding.protocol import unit
from playhead.tools.errors import LibraryError

NOTHING = np.zeros((0, 2), np.int64)


def kept(vectors):
    """As a video's folder keeps them."""
    return unit(vectors).astype(np.float16).astype(np.float32)


def ranges(ids):
    """Single ids as ranges."""
    ordered = np.unique(ids)
    return np.stack([ordered, ordered], axis=1)


def maintained(index):
    index.save()
    while index.maintain():
        index.save()
    return index


def random_index(seed, count, dimensions, repeats, prefix, bits=16):
    """Random unit vectors under random ids; with `repeats`, many are the same."""
    random = np.random.default_rng(seed)
    vectors = kept(random.normal(size=(count, dimensions)))
    if repeats:
        vectors = vectors[random.integers(0, max(1, count // 4), count)]
    ids = random.choice(10 * count + 10, count, replace=False).astype(np.int64)
    index = VectorIndex(dimensions, prefix, bits)
    index.add(vectors, ids)
    return index, vectors, ids, random


def brute(vectors, ids, query, k, among=None):
    """Scores of the best, best first."""
    chosen = np.ones(len(ids), bool) if among is None else np.isin(ids, among)
    return np.sort(vectors[chosen] @ query)[::-1][:k]


def step(index):
    """The largest difference of a stored number: half of one of 255 steps, also at the upper end."""
    return min(1, 6 / np.sqrt(index.dimensions)) / 255 * 1.001


def off_by(index):
    """The largest difference of a cosine."""
    return 1e-5 if index.bits == 16 else step(index) * np.sqrt(index.dimensions)


def check(index, vectors, ids, query, k, among=None):
    """The same scores as brute force, and each id has the score that it is given."""
    found, scores = index.search(query, k, None if among is None else ranges(among))
    assert scores == pytest.approx(brute(vectors, ids, query, k, among), abs=off_by(index))
    assert len(set(found.tolist())) == len(found)
    by_id = dict(zip(ids.tolist(), vectors, strict=True))
    assert scores == pytest.approx([by_id[i] @ query for i in found.tolist()], abs=off_by(index))
    if among is not None:
        assert set(found.tolist()) <= set(among.tolist())


@pytest.fixture(params=["flat", "cells", "bitmap"])
def kind(request, monkeypatch):
    """All kinds of segments with few rows; with cells, all of which are read; with filters as a bitmap."""
    if request.param != "flat":
        for name, value in (
            ("MAX_COMPARED", 40),
            ("SMALLEST_WITH_CELLS", 16),
            ("MAX_PENDING", 60),
            ("PROBES", 1000),
            ("FARTHEST_CELL", 3),
        ):
            monkeypatch.setattr(policy, f"_{name}", value)
    if request.param == "bitmap":
        monkeypatch.setattr(policy, "_EXACT_WITHIN", 5)
    return request.param


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 400),
    dimensions=st.sampled_from([1, 3, 24, 384]),
    k=st.sampled_from([1, 2, 10, 1000]),
    repeats=st.booleans(),
    bits=st.sampled_from([8, 16]),
)
def test_search_is_brute_force(kind, tmp_path, seed, count, dimensions, k, repeats, bits):
    prefix = tmp_path / "a"

    def opened(index):
        return VectorIndex.load(prefix, maintained(index).save(), index)

    index, vectors, ids, random = random_index(seed, count, dimensions, repeats, prefix, bits)
    query = kept(random.normal(size=(1, dimensions)))[0]
    check(index, vectors, ids, query, k)
    among = np.concatenate([random.choice(ids, count // 2, replace=False), [10**7, 5 * 10**6]]).astype(np.int64)
    index = opened(index)
    check(index, vectors, ids, query, k, among)
    gone = random.choice(ids, count // 3, replace=False)
    index.remove(ranges(np.concatenate([gone, [10**7]])))
    stay = ~np.isin(ids, gone)
    assert len(index) == stay.sum()
    check(index, vectors[stay], ids[stay], query, k)
    index = opened(index)
    check(index, vectors[stay], ids[stay], query, k, among)
    for turn in range(6):
        more, new = kept(random.normal(size=(20, dimensions))), np.arange(20) + 10**6 * (turn + 1)
        index.add(more, new)
        vectors, ids = np.concatenate([vectors[stay], more]), np.concatenate([ids[stay], new])
        check(index, vectors, ids, query, k)
        index = opened(index)
        assert sum(map(len, index.segments)) >= len(index) == len(ids)
        stay = ids != new[0]
        index.remove(ranges(new[:1]))
        check(index, vectors[stay], ids[stay], query, k, ids[::2])
    wanted = np.concatenate([ids[:5], [10**8]])
    known, own = index.vectors_of(wanted)
    by_id = dict(zip(ids.tolist(), vectors, strict=True))
    stays = dict(zip(ids.tolist(), stay.tolist(), strict=True))
    assert sorted(known.tolist()) == sorted(i for i in ids[:5].tolist() if stays[i])
    near = 0 if bits == 16 else step(index)
    assert all(vector == pytest.approx(by_id[i], abs=near) for i, vector in zip(known.tolist(), own, strict=True))
    if kind != "flat":
        assert any(segment.cell_count > 1 and segment.bits == 1 for segment in index.segments)


def test_similarities_in_the_third_decimal_keep_their_order(tmp_path):
    """As of frames: float16 moves them in the fifth; quantised indexes would lose the best."""
    base, side = np.linalg.qr(np.random.default_rng(0).normal(size=(384, 2)))[0].T
    cosines = 1 - 0.001 * np.arange(500)[:, None]
    index = VectorIndex(384, tmp_path / "a")
    index.add(unit(cosines * base + np.sqrt(1 - cosines**2) * side), np.arange(500))
    found, scores = index.search(base.astype(np.float32), 500)
    assert found.tolist() == list(range(500))
    assert scores == pytest.approx(cosines[:, 0], abs=1e-4)


def test_eight_bits_find_nearly_all_of_the_ten_nearest_in_half_the_bytes(tmp_path):
    random = np.random.default_rng(0)
    vectors, queries = kept(random.normal(size=(5000, 384))), kept(random.normal(size=(100, 384)))
    sizes, shares = {}, []
    for bits in (8, 16):
        index = VectorIndex(384, tmp_path / str(bits), bits)
        index.add(vectors, np.arange(5000))
        index = VectorIndex.load(tmp_path / str(bits), index.save())
        sizes[bits] = sum(segment.path.stat().st_size for segment in index.segments)
        for query in queries:
            found, scores = index.search(query, 10)
            assert scores == pytest.approx(vectors[found] @ query, abs=5e-3 if bits == 8 else 1e-5)
            best = np.argsort(-(vectors @ query))[:10]
            if bits == 8:
                shares.append(len({*found.tolist()} & {*best.tolist()}) / 10)
    assert np.mean(shares) >= 0.95
    assert sizes[8] == pytest.approx(sizes[16] - 5000 * 384, abs=2000)


def test_bytes_are_merged_without_loss(tmp_path):
    """A row is merged many times as a library grows."""
    vectors = kept(np.random.default_rng(0).normal(size=(300, 24)))
    index, once = VectorIndex(24, tmp_path / "a", 8), VectorIndex(24, tmp_path / "b", 8)
    for first in range(0, 300, 10):
        index.add(vectors[first : first + 10], np.arange(first, first + 10))
        maintained(index)
    once.add(vectors, np.arange(300))
    once.save()
    assert len(index.segments) < 12
    for number in range(300):
        assert np.array_equal(index.vectors_of(np.array([number]))[1], once.vectors_of(np.array([number]))[1])


@pytest.mark.parametrize("bits", [8, 16])
def test_equal_vectors_are_stored_once_and_found_for_each_row(tmp_path, monkeypatch, bits):
    """Three lines on a screen, each shown a hundred times; the row that a vector is stored under is removed."""
    lines = kept(np.random.default_rng(0).normal(size=(3, 384)))
    index = VectorIndex(384, tmp_path / "a", bits)
    index.add(np.tile(lines, (100, 1)), np.arange(300)[::-1].copy())
    index = VectorIndex.load(tmp_path / "a", index.save())
    (segment,) = index.segments
    assert segment.path.stat().st_size < 300 * 40
    wanted = [299 - row for row in range(0, 300, 3)]
    assert sorted(index.search(lines[0], 100)[0].tolist()) == sorted(wanted)
    index.remove(ranges([min(wanted), 5]))
    left = sorted({*wanted} - {min(wanted), 5})
    assert {*left} == {*index.search(lines[0], len(left))[0].tolist()}
    monkeypatch.setattr(policy, "_EXACT_WITHIN", 1)  # a filter as a bitmap
    found, scores = index.search(lines[0], 60, np.array([[0, 150]]))
    assert {*found[scores > 0.99].tolist()} == {one for one in left if one <= 150}


def test_few_and_none(tmp_path):
    index = VectorIndex(4, tmp_path / "a")
    query = unit(np.ones((1, 4)))[0]
    assert index.search(query, 3)[0].tolist() == []
    index.add(np.eye(4, dtype=np.float32)[:2], np.array([7, 9]))
    assert sorted(index.search(query, 3)[0].tolist()) == [7, 9]
    assert index.search(query, 0)[0].tolist() == []
    assert index.search(query, 3, NOTHING)[0].tolist() == []
    assert index.search(query, 3, ranges([8]))[0].tolist() == []
    assert index.search(query, 1, np.array([[8, 9]]))[0].tolist() == [9]
    index.remove(ranges([7, 9]))
    assert len(index) == 0
    assert index.search(query, 3)[0].tolist() == []


@pytest.mark.parametrize("shape", [(2, 3), (2, 5), (4,), (1, 1, 4), (0, 3)])
def test_a_wrong_shape_is_an_error(tmp_path, shape):
    index = VectorIndex(4, tmp_path / "a")
    with pytest.raises(ValueError, match="vectors of 4 dimensions expected, got an array of shape"):
        index.add(np.zeros(shape, np.float32), np.arange(2))
    if shape[0] != 0:
        with pytest.raises(ValueError, match="vectors of 4 dimensions expected"):
            index.search(np.zeros(shape[1:], np.float32) if len(shape) == 2 else np.zeros(shape, np.float32)[:3], 1)
    with pytest.raises(ValueError, match="2 ids expected"):
        index.add(np.zeros((2, 4), np.float32), np.arange(3))
    assert len(index) == 0


def clustered(random, centroids, count):
    """Vectors around centroids, as of scenes."""
    return kept(centroids[random.integers(0, len(centroids), count)] + 0.05 * random.normal(size=(count, 64)))


def test_the_nearest_cells_hold_the_nearest_rows(monkeypatch, tmp_path):
    """A tenth of the cells is read: the best is found, and nearly all of the ten best."""
    monkeypatch.setattr(policy, "_MAX_COMPARED", 2000)
    monkeypatch.setattr(policy, "_PROBES", 20)
    monkeypatch.setattr(policy, "_SCANNED_PER_RESULT", 1)
    random = np.random.default_rng(0)
    centroids = unit(random.normal(size=(300, 64)))
    vectors, ids = clustered(random, centroids, 12_000), np.arange(12_000)
    index = VectorIndex(64, tmp_path / "a")
    for first in range(0, 12_000, 1000):
        index.add(vectors[first : first + 1000], ids[first : first + 1000])
        maintained(index)
    shares = []
    for query in clustered(random, centroids, 200):
        found, _ = index.search(query, 10)
        best = np.argsort(-(vectors @ query))[:10]
        shares.append(len(set(found.tolist()) & set(best.tolist())) / 10)
        assert found[0] == best[0]
    assert np.mean(shares) >= 0.95


def test_one_bit_a_number_leads_to_nearly_all_of_the_nearest(monkeypatch, tmp_path):
    """All cells are read. Of 12,000 rows the whole vectors of 200 are compared; the short vectors take a ninth of the bytes."""
    for name, value in (("MAX_COMPARED", 2000), ("PROBES", 1000), ("FARTHEST_CELL", 3), ("LEAST_COMPARED", 200)):
        monkeypatch.setattr(policy, f"_{name}", value)
    random = np.random.default_rng(0)
    centroids = unit(random.normal(size=(300, 384)))
    near = centroids[random.integers(0, 300, 12_000)] + 0.03 * random.normal(size=(12_000, 384))
    vectors, queries = kept(near), kept(near[:200] + 0.03 * random.normal(size=(200, 384)))
    index = VectorIndex(384, tmp_path / "a", 8)
    index.add(vectors, np.arange(12_000))
    maintained(index)
    shares = []
    for query in queries:
        found, scores = index.search(query, 10)
        assert scores == pytest.approx(vectors[found] @ query, abs=off_by(index))
        shares.append(len({*found.tolist()} & {*np.argsort(-(vectors @ query))[:10].tolist()}) / 10)
    assert np.mean(shares) >= 0.95
    (short,) = (one for one in index.segments if one.bits == 1)
    # A bit a number and two floats; ids twice, the place and the cell of each.
    assert short.path.stat().st_size / 12_000 == pytest.approx(384 / 8 + 8 + 8 + 20, abs=2)


def test_results_beyond_the_nearest_cells_are_found(monkeypatch, tmp_path):
    monkeypatch.setattr(policy, "_MAX_COMPARED", 100)
    monkeypatch.setattr(policy, "_PROBES", 2)
    index, vectors, ids, random = random_index(0, 1000, 24, False, tmp_path / "a")
    maintained(index)
    check(index, vectors, ids, kept(random.normal(size=(1, 24)))[0], 1000)


def test_on_a_gpu_each_row_is_compared(monkeypatch, tmp_path):
    """FAISS's class for the GPU is stood in for by the one for the CPU that it equals: what is tested is what it gets."""
    faiss = pytest.importorskip("faiss")
    made = []

    def flat(resources, dimensions, config):
        assert config.useFloat16
        made.append(dimensions)
        return faiss.IndexFlatIP(dimensions)

    monkeypatch.setattr(policy, "_gpu_count", lambda: 1)
    monkeypatch.setattr(policy, "_MAX_COMPARED", 40)
    monkeypatch.setattr(policy, "_PROBES", 1)
    monkeypatch.setattr(faiss, "StandardGpuResources", object, raising=False)
    monkeypatch.setattr(faiss, "GpuIndexFlatConfig", type("Config", (), {}), raising=False)
    monkeypatch.setattr(faiss, "GpuIndexFlatIP", flat, raising=False)
    index, vectors, ids, random = random_index(0, 300, 24, False, tmp_path / "a")
    maintained(index)
    query = kept(random.normal(size=(1, 24)))[0]
    for _ in range(2):
        check(index, vectors, ids, query, 20)
    assert made == [24]
    index.remove(ranges(ids[:30]))
    check(index, vectors[30:], ids[30:], query, 20)
    check(index, vectors[30:], ids[30:], query, 20, ids[:90])
    assert made == [24, 24]


# Files


def in_files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_is_saved_comes_back(tmp_path):
    index, vectors, ids, random = random_index(0, 300, 24, False, tmp_path / "a")
    again = VectorIndex.load(tmp_path / "a", index.save())
    (file,) = tmp_path.iterdir()
    file.unlink()
    query = kept(random.normal(size=(1, 24)))[0]
    assert (len(again), again.dimensions) == (300, 24)
    check(again, vectors, ids, query, 20)
    again.remove(ranges(ids[:50]))
    check(again, vectors[50:], ids[50:], query, 20)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_index_comes_back(tmp_path):
    assert len(VectorIndex.load(tmp_path / "a", VectorIndex(3, tmp_path / "a").save())) == 0


def test_adding_and_removing_leave_the_other_files_alone(tmp_path):
    """One file more for an addition, none for a removal; and none is opened twice."""
    index, vectors, ids, random = random_index(0, 300, 24, False, tmp_path / "a")
    saved = index.save()
    (first,) = in_files(tmp_path)
    content = (tmp_path / first).read_bytes()
    writer = VectorIndex.load(tmp_path / "a", saved)
    more = kept(random.normal(size=(9, 24)))
    writer.add(more, np.arange(9) + 10**6)
    writer.remove(ranges(ids[10:20]))
    saved = writer.save()
    assert len(in_files(tmp_path)) == 2
    assert (tmp_path / first).read_bytes() == content
    reader = VectorIndex.load(tmp_path / "a", saved, index)
    assert reader.segments[0] is index.segments[0]
    stay = np.r_[0:10, 20:300]
    query = kept(random.normal(size=(1, 24)))[0]
    check(reader, np.concatenate([vectors[stay], more]), np.concatenate([ids[stay], np.arange(9) + 10**6]), query, 1000)
    check(index, vectors, ids, query, 1000)


def test_a_row_is_written_a_few_times(tmp_path, monkeypatch):
    """Over two hundred additions: without merging there would be 200 files, without levels 20,100 rows written."""
    monkeypatch.setattr(policy, "_SMALLEST_WITH_CELLS", 1)
    written = []
    real = VectorSegment.written

    def counted(path, bits, dimensions, cells, *rest):
        written.append(len(cells))
        return real(path, bits, dimensions, cells, *rest)

    monkeypatch.setattr(VectorSegment, "written", counted)
    index = VectorIndex(4, tmp_path / "a")
    for number in range(200):
        index.add(kept(np.ones((1, 4))), np.array([number]))
        maintained(index)
    assert len(index) == 200
    assert len(index.segments) <= 12
    assert sum(written) <= 200 * 5


def test_centroids_are_trained_again_when_there_are_four_times_as_many_rows(monkeypatch, tmp_path):
    monkeypatch.setattr(policy, "_MAX_COMPARED", 100)
    trained_with = []
    real = policy.trained
    monkeypatch.setattr(policy, "trained", lambda sample, count: trained_with.append(count) or real(sample, count))
    random = np.random.default_rng(0)
    index = VectorIndex(8, tmp_path / "a")
    for number in range(45):
        index.add(kept(random.normal(size=(10, 8))), np.arange(10) + 10 * number)
        maintained(index)
    assert trained_with == [42, 84]  # of 110 and 440 rows: four times the root


def test_training_writes_no_whole_vectors_again_that_lie_in_one_segment(monkeypatch, tmp_path):
    monkeypatch.setattr(policy, "_MAX_COMPARED", 100)
    monkeypatch.setattr(policy, "_SMALLEST_WITH_CELLS", 16)
    index, vectors, ids, random = random_index(0, 200, 24, False, tmp_path / "a")
    index.save()
    (before,) = index.segments
    maintained(index)
    whole, short, *_ = index.segments
    assert (whole.path, short.bits) == (before.path, 1)
    check(index, vectors, ids, kept(random.normal(size=(1, 24)))[0], 10)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 60), repeats=st.booleans())
def test_as_many_centroids_are_trained_as_asked_for(seed, count, repeats):
    random = np.random.default_rng(seed)
    sample = kept(random.normal(size=(int(random.integers(count, 300)), 8)))
    if repeats:
        sample = sample[random.integers(0, 3, len(sample))]
    centroids = trained(sample, count)
    assert centroids.shape == (count, 8)
    assert np.linalg.norm(centroids, axis=1) == pytest.approx(1, abs=1e-3)


def test_centroids_trained_in_groups_are_as_near_as_those_trained_together():
    random = np.random.default_rng(0)
    vectors = clustered(random, unit(random.normal(size=(300, 64))), 12_000)
    means = unit(random.normal(size=(200, 64)))
    assert (vectors @ trained(vectors, 200).T).max(axis=1).mean() >= 0.6 > (vectors @ means.T).max(axis=1).mean()


def test_vectors_get_the_nearest_of_many_centroids():
    random = np.random.default_rng(0)
    centroids = clustered(random, unit(random.normal(size=(100, 64))), 2000)
    vectors = clustered(random, centroids, 1000)
    found = nearest_centroids(grouped_quantizer_of(centroids), vectors)
    assert (found == np.argmax(vectors @ centroids.T, axis=1)).mean() >= 0.999


def test_a_segment_with_many_removed_vectors_is_rewritten(tmp_path):
    index, vectors, ids, random = random_index(0, 300, 24, False, tmp_path / "a")
    index.save()
    index.remove(ranges(ids[:70]))
    maintained(index)
    assert [len(segment) for segment in index.segments] == [300]
    index.remove(ranges(ids[70:80]))
    maintained(index)
    assert [len(segment) for segment in index.segments] == [220]
    check(index, vectors[80:], ids[80:], kept(random.normal(size=(1, 24)))[0], 1000)


@settings(max_examples=60)
@given(data=st.data())
def test_a_damaged_file_is_an_error(tmp_path_factory, data):
    """FAISS itself would take damaged lengths as they are, and ask for all memory."""
    folder = tmp_path_factory.mktemp("damaged")
    saved = random_index(0, 5, 4, False, folder / "a")[0].save()
    (path,) = folder.iterdir()
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content = content[:place]
    else:
        content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    with pytest.raises(LibraryError, match="delete it and run `playhead optimize`"):
        VectorIndex.load(folder / "a", saved)


@pytest.mark.parametrize("place", ["start", "head", "end", "rows", "digests"])
def test_damage_of_a_large_file_is_an_error(tmp_path, monkeypatch, place):
    """Its head is checked whole, its rows in blocks spread evenly, of which the last is one."""
    monkeypatch.setattr("playhead.index.retrieval.vectors.segments._CHECKED_WHOLE", 1 << 10)
    monkeypatch.setattr("playhead.index.retrieval.vectors.segments._BLOCK", 1 << 10)
    saved = random_index(0, 2000, 24, False, tmp_path / "a")[0].save()
    (path,) = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    size = len(content)
    where = {"start": 0, "head": 100, "end": size - 1, "rows": size * 9 // 10, "digests": size - 100}[place]
    part = slice(where, where + (size // 15 if place == "rows" else 1))
    content[part] = bytes(byte ^ 1 for byte in content[part])
    path.write_bytes(content)
    with pytest.raises(LibraryError, match="is damaged: delete it and run `playhead optimize`"):
        VectorIndex.load(tmp_path / "a", saved)


def test_a_merged_segment_has_a_limit(tmp_path, monkeypatch):
    """Memory while merging and training is bounded, therefore many segments stay."""
    monkeypatch.setattr(policy, "_SMALLEST_WITH_CELLS", 10)
    monkeypatch.setattr(policy, "_MAX_COMPARED", 100)
    monkeypatch.setattr(policy, "_MERGED_BYTES", 2 * 8 * 100)
    random = np.random.default_rng(0)
    vectors, ids = kept(random.normal(size=(600, 8))), np.arange(600)
    index = VectorIndex(8, tmp_path / "a")
    for first in range(0, 600, 30):
        index.add(vectors[first : first + 30], ids[first : first + 30])
        maintained(index)
    assert max(len(segment) for segment in index.segments[:-1]) <= 120
    check(index, vectors, ids, vectors[5], 20)


def test_a_missing_file_is_an_error(tmp_path):
    saved = random_index(0, 5, 4, False, tmp_path / "a")[0].save()
    (path,) = tmp_path.iterdir()
    path.unlink()
    with pytest.raises(LibraryError, match="cannot be read"):
        VectorIndex.load(tmp_path / "a", saved)


@pytest.mark.parametrize("when", ["while writing", "at the end"])
def test_a_full_disk_leaves_the_old_files(tmp_path, monkeypatch, when):
    index, vectors, ids, random = random_index(0, 5, 4, False, tmp_path / "a")
    saved = index.save()
    before = in_files(tmp_path)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    class Full(io.BytesIO):
        write = full

    with monkeypatch.context() as patch:
        if when == "at the end":
            patch.setattr("pathlib.Path.replace", full)
        else:
            patch.setattr("pathlib.Path.open", lambda *_: Full())
        index.add(kept(np.eye(4)), np.arange(4) + 100)
        with pytest.raises(OSError, match="No space left"):
            index.save()
    assert in_files(tmp_path) == before
    check(VectorIndex.load(tmp_path / "a", saved), vectors, ids, kept(random.normal(size=(1, 4)))[0], 10)


def test_the_installed_version_is_recorded():
    assert "CPU" in faiss_state() or "GPU" in faiss_state()

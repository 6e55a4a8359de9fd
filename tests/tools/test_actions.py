"""Clip embeddings: random models in the layout of X-CLIP and VideoPrism, from the file to the search."""

import logging
import shutil

import numpy as np
import pytest

from playhead import Library, Settings
from playhead.index.storage.local import LocalStorage
from playhead.tools.embedding.actions import ActionEncoder
from playhead.tools.errors import WeightsError
from playhead.tools.media.frames import moving_clips, probe
from playhead.tools.records import Clip, Frame, Span

from ..media import write_media

OFF = {"text_model": "off", "image_model": "off", "ocr": "off", "speech_model": "off", "objects_model": "off"}
LAYERS = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}


def tokenizer(transformers):
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = {word: number for number, word in enumerate(["<pad>", "<unk>", "somebody", "dances", "jumps"])}
    backend = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", unk_token="<unk>")


def xclip(transformers, folder):
    config = transformers.XCLIPConfig(
        text_config=LAYERS | {"num_hidden_layers": 1, "vocab_size": 5, "max_position_embeddings": 8, "eos_token_id": 1},
        vision_config=LAYERS | {
            "num_hidden_layers": 1, "image_size": 32, "patch_size": 16, "num_frames": 4, "mit_hidden_size": 16,
            "mit_intermediate_size": 32, "mit_num_hidden_layers": 1, "mit_num_attention_heads": 2,
        },
        projection_dim=16, prompt_num_attention_heads=2,
    )  # fmt: skip
    transformers.XCLIPModel(config).save_pretrained(folder)
    images = transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    transformers.XCLIPProcessor(images, tokenizer(transformers)).save_pretrained(folder)


def videoprism(transformers, folder):
    config = transformers.VideoPrismConfig(
        text_config=LAYERS | {"num_hidden_layers": 1, "vocab_size": 5, "max_position_embeddings": 8},
        vision_config=LAYERS | {
            "num_spatial_layers": 1, "num_temporal_layers": 1, "num_auxiliary_layers": 1, "image_size": 36, "num_frames": 4,
        },
    )  # fmt: skip
    transformers.VideoPrismClipModel(config).save_pretrained(folder)
    videos = transformers.LlavaOnevisionVideoProcessor(size={"height": 36, "width": 36}, do_normalize=False)
    transformers.VideoPrismProcessor(videos, tokenizer(transformers)).save_pretrained(folder)


@pytest.fixture(scope="module", params=[xclip, videoprism])
def model(request, tmp_path_factory):
    """A random model of one layer, saved as a model hub would."""
    transformers = pytest.importorskip("transformers")
    import torch

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp(request.param.__name__)
    request.param(transformers, folder)
    return folder


@pytest.fixture
def film(tmp_path):
    """Twelve seconds: the picture changes five times a second up to second 6; then it stands."""
    return write_media(tmp_path / "film.mp4", [*np.arange(0, 6, 0.2).tolist(), 11.9])


def test_clips_and_queries_are_in_one_space(model):
    encoder = ActionEncoder(Settings(actions_model=str(model), offline=True))
    rng = np.random.default_rng(0)
    clips = [
        Clip(Span(start=3 * n, end=3 * n + 3), tuple(Frame(3 * n + k, rng.integers(0, 256, (48, 64, 3), np.uint8)) for k in range(4)))
        for n in range(6)
    ]  # fmt: skip
    found = encoder.observe([*clips, clips[0]])
    vectors = np.array([one.vector for one in found])
    queries = encoder.encode_queries(["somebody dances", "somebody jumps " * 9])
    assert encoder.frames == 4
    assert vectors.shape[1] == queries.shape[1]
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(7), abs=2e-3)
    assert np.linalg.norm(queries, axis=1) == pytest.approx(np.ones(2), abs=1e-5)
    assert vectors[0] == pytest.approx(vectors[6], abs=1e-3)
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3
    backwards = encoder.observe([Clip(clips[0].span, clips[0].frames[::-1])])
    assert np.abs(np.array(backwards[0].vector) - vectors[0]).max() > 1e-4  # the order of frames counts
    assert {(one.modality, one.text) for one in found} == {("action", "")}
    assert [one.span.start for one in found] == [0, 3, 6, 9, 12, 15, 0]


def test_clips_are_cut_where_the_picture_moves(film):
    clips = list(moving_clips(film, [Span(start=0, end=12)], 4))
    assert [(one.span.start, one.span.end) for one in clips] == [(0, 3), (3, 6)]
    assert [round(frame.seconds, 1) for frame in clips[0].frames] == [0.2, 1.0, 1.8, 2.6]
    assert min(clips[0].frames[0].size) <= 320
    part = list(moving_clips(film, [Span(start=1, end=2.5), Span(start=5, end=5.5)], 2))
    assert [(one.span.start, one.span.end) for one in part] == [(1, 2.5)]
    assert probe(film).video is not None


def test_clips_are_indexed_and_searched_by_what_is_performed(model, film, caplog, tmp_path_factory):
    settings = Settings(actions_model=str(model), offline=True, **OFF)
    with Library(film.parent, settings) as library:
        library.index(film)
        (found, other) = library.search("somebody dances", modalities=["performed"])
        encoder = ActionEncoder(settings)
        query = encoder.encode_queries(["somebody dances"])[0]
        store = LocalStorage(library.folder)
        stored = store.table(store.record(found.video_id)).of("action")
        cosines = {one.span.start: float(np.array(one.vector) @ query) for one in stored}
        assert sorted(cosines) == [0, 3]
        assert found.start == max(cosines, key=lambda start: cosines[start])
        assert found.similarity == pytest.approx(max(cosines.values()), abs=5e-3)
        assert {one.modality for one in (found, other)} == {"action"}
        assert library.search("somebody dances") == []  # only where it is asked for
        assert [one.state for one in library.index(film)] == ["unchanged"]
    with Library(film.parent, Settings(offline=True, **OFF)) as library, caplog.at_level(logging.WARNING):
        assert library.search("somebody dances", modalities=["action"]) == []
    assert "set actions_model" in caplog.text
    other = tmp_path_factory.mktemp("other")
    shutil.copytree(model, other / "renamed")
    with Library(film.parent, Settings(actions_model=str(other / "renamed"), offline=True, **OFF)) as library:
        assert library.search("somebody dances", modalities=["action"]) == []
    assert "no clips were embedded with renamed@" in caplog.text


def test_another_model_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(WeightsError, match="actions_model"):
        ActionEncoder(Settings(actions_model=str(tmp_path), offline=True)).encode_queries(["somebody dances"])

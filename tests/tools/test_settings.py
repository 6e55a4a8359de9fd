"""Settings: which source wins, what is refused in what words, and what is never shown."""

import os
from pathlib import Path

import pytest

from playhead import Settings
from playhead.tools.errors import PlayheadError, SettingsError
from playhead.tools.settings import cache_folder, mistyped_variables, settings_file

SECRET = "sk-never-shown"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's settings file, not written yet."""
    path = tmp_path / "settings.toml"
    monkeypatch.setenv("PLAYHEAD_SETTINGS_FILE", str(path))
    return path


def test_arguments_win_over_the_environment_over_the_file_over_the_default(file, monkeypatch):
    assert Settings().sample_seconds == 2.0
    file.write_text("sample_seconds = 3\nlanguage = 'de'\ndevice = 'cpu'\n")
    assert (Settings().sample_seconds, Settings().language, Settings().device) == (3.0, "de", "cpu")
    monkeypatch.setenv("PLAYHEAD_SAMPLE_SECONDS", "4")
    monkeypatch.setenv("PLAYHEAD_LANGUAGE", "fr")
    assert (Settings().sample_seconds, Settings().language, Settings().device) == (4.0, "fr", "cpu")
    settings = Settings(sample_seconds=5)
    assert (settings.sample_seconds, settings.language, settings.device) == (5.0, "fr", "cpu")


def test_the_file_is_in_the_users_configuration_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("PLAYHEAD_SETTINGS_FILE")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert settings_file() == tmp_path / "config" / "playhead" / "settings.toml"
    assert cache_folder() == tmp_path / "cache" / "playhead"
    settings_file().parent.mkdir(parents=True)
    settings_file().write_text("offline = true\n")
    assert Settings().offline is True


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"colour": "red"}, "there is no setting 'colour': settings are profile, device, offline"),
        ({"answer_treshold": 0.5}, "there is no setting 'answer_treshold': did you mean answer_threshold?"),
        ({"sample_seconds": 0}, "setting sample_seconds does not take 0: Input should be greater than or equal to 0.1"),
        ({"objects_score": "much"}, "setting objects_score does not take 'much': Input should be a valid number"),
        ({"ocr": "tesseract"}, "setting ocr does not take 'tesseract': Input should be 'rapidocr', 'easyocr' or 'off'"),
        ({"device": "tpu"}, "setting device does not take 'tpu': Input should be 'auto', 'cpu' or 'cuda'"),
    ],
)
def test_what_is_not_a_setting_or_not_a_value_of_it_is_refused_with_what_is_allowed(values, complaint):
    with pytest.raises(SettingsError) as caught:
        Settings(**values)
    assert str(caught.value).startswith(complaint)
    assert isinstance(caught.value, PlayheadError)


def test_a_complaint_says_which_variable_or_file_is_wrong(file, monkeypatch):
    file.write_text("decoder = 'opencv'\n")
    with pytest.raises(
        SettingsError, match=r"does not take 'opencv' \(set in .*settings\.toml\): .*'pyav', 'decord' or 'nvdec'"
    ):
        Settings()
    monkeypatch.setenv("PLAYHEAD_DECODER", "vlc")
    with pytest.raises(SettingsError, match=r"does not take 'vlc' \(set by PLAYHEAD_DECODER\)"):
        Settings()
    assert Settings(decoder="decord").decoder == "decord"
    file.write_text("decodre = 'pyav'\n")
    with pytest.raises(SettingsError, match=r"there is no setting 'decodre' \(set in .*settings\.toml\)"):
        Settings(decoder="pyav")


@pytest.mark.parametrize(("content", "why"), [(b"device = cpu", "Invalid value"), (b"\xff\xfe", "can't decode")])
def test_a_settings_file_that_is_no_toml_is_refused(file, content, why):
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=rf"settings\.toml is not valid TOML \(.*{why}.*\): correct or remove it"):
        Settings()


def test_settings_do_not_change_once_they_are_made():
    with pytest.raises(ValueError, match="frozen"):
        Settings().device = "cpu"


@pytest.mark.parametrize("key", [f'"{SECRET}"', f'["{SECRET}"]', f'{{key = "{SECRET}"}}'])
def test_the_key_is_never_shown(file, key, capsys):
    file.write_text(f"video_llm_key = {key}\n")
    try:
        settings = Settings()
    except SettingsError as error:
        shown = f"{error} {error.__cause__}"
        assert "setting video_llm_key does not take a value" in shown
    else:
        assert settings.video_llm_key.get_secret_value() == SECRET
        shown = f"{settings} {settings!r} {settings.model_dump_json()} {settings.fingerprint()}"
    assert SECRET not in shown


def test_a_complaint_about_another_setting_does_not_show_the_key(monkeypatch):
    monkeypatch.setenv("PLAYHEAD_VIDEO_LLM_KEY", SECRET)
    with pytest.raises(SettingsError) as caught:
        Settings(device="tpu")
    assert SECRET not in f"{caught.value} {caught.value.__cause__}"


@pytest.mark.parametrize("given", ["red car, bus ,dog,", ("red car", "bus", "dog"), ["red car", "bus", "dog"]])
def test_a_vocabulary_is_a_list_or_one_line_with_commas(given):
    assert Settings(objects_vocabulary=given).objects_vocabulary == ("red car", "bus", "dog")


def test_a_vocabulary_comes_from_the_environment_and_the_file(file, monkeypatch):
    file.write_text('objects_vocabulary = ["traffic light", "tram"]\n')
    assert Settings().objects_vocabulary == ("traffic light", "tram")
    monkeypatch.setenv("PLAYHEAD_OBJECTS_VOCABULARY", "cat,dog")
    assert Settings().objects_vocabulary == ("cat", "dog")


def test_each_field_is_described():
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


def test_the_fingerprint_follows_what_changes_a_result_and_nothing_else():
    base = Settings().fingerprint()
    assert len(base) == 12
    for same in (
        {"video_llm_key": SECRET},
        {"video_llm_url": "http://localhost:8000/v1"},
        {"video_llm_timeout": 5},
        {"offline": True},
    ):
        assert Settings(**same).fingerprint() == base, same
    others = [{"sample_seconds": 1}, {"speech_model": "whisper-tiny.en"}, {"ocr": "off"}, {"video_llm_model": "qwen"}]
    assert len({base, *(Settings(**other).fingerprint() for other in others)}) == 5


def test_a_profile_chooses_the_models_that_are_not_named():
    assert Settings().model_for("speech_model") == "whisper-base"
    assert Settings(profile="gpu").model_for("ocr") == "easyocr"
    assert Settings(profile="gpu", ocr="rapidocr").model_for("ocr") == "rapidocr"
    assert Settings(image_model="off").model_for("image_model") == "off"


def test_a_mistyped_variable_is_named_with_the_right_one(monkeypatch):
    for name in [name for name in os.environ if name.startswith("PLAYHEAD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PLAYHEAD_SAMPLE_SECOND", "1")
    monkeypatch.setenv("PLAYHEAD_LANGUAGE", "fr")
    monkeypatch.setenv("PLAYHEAD_DEBUG", "1")
    monkeypatch.setenv("PLAYHEAD_UI_PASSWORD", "secret")
    assert mistyped_variables() == {"PLAYHEAD_SAMPLE_SECOND": "PLAYHEAD_SAMPLE_SECONDS"}

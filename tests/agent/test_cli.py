"""The command line: its contract, and what it says about bad input. Most calls run in this process, for speed."""

import ctypes
import errno
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from playhead import Library
from playhead.agent.cli.main import main
from playhead.agent.display.indexing import IndexingView
from playhead.agent.library_folder import library_folder
from playhead.index.records import StageReport
from playhead.index.storage.files.sealed import seal
from playhead.index.storage.keyframe_references import read_keyframe
from playhead.tools.errors import LibraryError
from playhead.tools.media.container import nvdec_error

SAID = {
    "budget.mp4": [(1.0, 3.0, "The budget for travel grew by twelve percent.")],
    "traffic.mp4": [(0.5, 2.0, "The red car stops at the bridge."), (2.5, 4.0, "Nobody is hurt.")],
}
COMMANDS = (
    *("index", "ask", "search", "find", "check", "chat", "ui", "list", "show", "chapters", "speakers", "people"),
    *(
        "moment",
        "open",
        "clip",
        "sheet",
        "export",
        "notes",
        "context",
        "watch",
        "live",
        "remove",
        "pull",
        "verify",
        "repair",
    ),
    *("optimize", "threads", "doctor", "config", "model", "serve", "mcp", "eval"),
)
GROUPS = ("config", "model", "threads", "eval")
WITHOUT_JSON = ("serve", "optimize", "mcp", "chat", "ui", "clip", "sheet", "notes", "open", "context")
PLAYHEAD = [sys.executable, "-c", "from playhead.agent.cli.main import main; main()"]

pytestmark = pytest.mark.usefixtures("no_models")


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def data(self):
        """The JSON on standard output."""
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """The one line on standard error."""
        (line,) = self.err.splitlines()
        return line


@pytest.fixture
def playhead(monkeypatch) -> Callable[..., Done]:
    """Runs a command in this process."""

    def run(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["playhead", *map(str, arguments)])
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as left:
            main()
        return Done(left.value.code or 0, out.getvalue(), err.getvalue())

    return run


def process(*arguments: str | Path, **options) -> Done:
    """Runs a command in a process of its own."""
    done = subprocess.run(
        [*PLAYHEAD, *map(str, arguments)], text=True, timeout=120, **({"capture_output": True} | options)
    )
    return Done(done.returncode, done.stdout or "", done.stderr or "")


@pytest.fixture
def talks(tmp_path, write_talk, monkeypatch) -> Path:
    """A folder with two videos, seen from the folder above it."""
    for name, said in SAID.items():
        write_talk(tmp_path / "talks" / name, said)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "talks"


@pytest.fixture
def indexed(talks, playhead) -> Path:
    """The same, indexed."""
    assert playhead("index", talks).code == 0
    return talks


# What each command prints.


def test_index_prints_each_file_what_was_left_out_and_the_sum(talks, playhead):
    done = playhead("index", "talks")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "✓ talks/budget.mp4: 00:00:04.9, 1 said",
        "✓ talks/traffic.mp4: 00:00:04.9, 2 said",
        "Not described: no video model is set (video_llm_url)",
        "Speakers not recognized: the file has no sound",
        "Overlapping speech not marked: the file has no sound",
        "Sounds not recognized: the file has no sound",
        "Switched off: text in the picture, objects, search in pictures, actions, people",
        "2 indexed · library talks/.playhead",
    ]
    assert playhead("index", "talks").out == "2 unchanged · library talks/.playhead\n"
    assert "= talks/budget.mp4: unchanged" in playhead("index", "talks", "-v").out


def test_a_reason_that_is_not_about_all_files_names_its_own(talks, capsys):
    outcomes = Library(talks / ".playhead").index(talks)
    record = outcomes[0].record
    silent = StageReport(modality="speech", state="skipped", detail="the file has no sound")
    torn = StageReport(modality="text", state="failed", detail="RuntimeError: out of memory")
    stages = (silent, torn, *record.stages[2:])
    with IndexingView(quiet=False, verbose=False, to_stdout=True) as screen:
        screen.done(replace(outcomes[0], record=record.model_copy(update={"stages": stages})))
        screen.done(outcomes[1])
    screen.summary(talks / ".playhead")
    printed = capsys.readouterr()
    assert printed.err.splitlines() == [
        "✗ talks/budget.mp4: 00:00:04.9, nothing extracted",
        "  written: failed: RuntimeError: out of memory",
    ]
    assert "Not transcribed: the file has no sound (talks/budget.mp4)" in printed.out.splitlines()
    assert "Switched off: text in the picture, objects, search in pictures, actions, people" in printed.out.splitlines()


def test_index_prints_data(talks, playhead):
    done = playhead("index", talks, "--json")
    assert [(one["path"], one["state"]) for one in done.data] == [(str(talks / name), "indexed") for name in SAID]
    assert [one["duration"] for one in done.data] == [pytest.approx(4.9, abs=0.1)] * 2
    stages = {stage["modality"]: (stage["state"], stage["detail"]) for stage in done.data[0]["stages"]}
    assert stages["speech"] == ("done", "1 found")
    assert stages["text"] == ("skipped", "switched off")


def test_ask_prints_each_claim_with_its_span(indexed, playhead):
    done = playhead("ask", "talks", "What does the speaker say about the budget?")
    assert done == Done(0, "The budget for travel grew by twelve percent. [00:00:01–00:00:03] budget.mp4, said\n", "")
    nothing = playhead("ask", "talks", "What does the speaker say about penguins?")
    assert nothing == Done(0, "Nothing in the indexed videos answers this for certain. Not found: penguins.\n", "")


def test_ask_prints_the_object_of_the_contract(indexed, playhead):
    answer = playhead("ask", "talks", "What is said about the red car?", "--json").data
    assert (answer["status"], answer["text"]) == ("answered", "The red car stops at the bridge.")
    assert 0 < answer["confidence"] <= 1
    ((citation,),) = [claim["citations"] for claim in answer["claims"]]
    assert {"text": "The red car stops at the bridge.", "verdict": "verbatim"}.items() <= answer["claims"][0].items()
    assert set(citation) == set(
        "evidence_id video_id video start end modality quote keyframe box frame_seconds speaker overlap_seconds doubtful stream".split()
    )
    assert (citation["start"], citation["end"], citation["modality"]) == (0.5, 2.0, "speech")
    assert (citation["video"], citation["quote"]) == (str(indexed / "traffic.mp4"), "The red car stops at the bridge.")
    assert answer["usage"]["seconds"] > 0
    assert answer["trace"][0]["step"] == "plan"
    nothing = playhead("ask", "talks", "What is said about penguins?", "--json")
    assert (nothing.code, nothing.data["status"], nothing.data["claims"]) == (0, "insufficient", [])


def test_ask_prints_its_steps_on_standard_error(indexed, playhead):
    done = playhead("ask", "talks", "What is said about the red car?", "-v")
    assert done.out == "The red car stops at the bridge. [00:00:00–00:00:02] traffic.mp4, said\n"
    assert re.search(r"^plan: .*red car.*\n(.*\n)*confidence \d\.\d\d, \d+\.\d\d s in total$", done.err, re.MULTILINE)


def test_ask_prints_its_events_as_lines(indexed, playhead):
    done = playhead("ask", "talks", "What is said about the red car?", "--events")
    events = [json.loads(line) for line in done.out.splitlines()]
    assert [event["kind"] for event in events] == ["plan", "evidence", "draft", "verdict", "answer"]
    assert events[1]["evidence"][0]["text"] == "The red car stops at the bridge."
    assert events[-1]["answer"]["text"] == "The red car stops at the bridge."
    assert done.err == ""


def test_ask_keeps_a_conversation_and_gives_its_last_answer_again(indexed, playhead):
    first = playhead("ask", "talks", "What is said about the red car?", "--thread", "t")
    second = playhead("ask", "talks", "And when does she say that?", "--thread", "t", "--json").data
    assert second["text"] in first.out
    assert "understood as" in second["trace"][0]["detail"]
    again = playhead("ask", "talks", "--resume", "--thread", "t")
    assert again == Done(0, "The red car stops at the bridge. [00:00:00–00:00:02] traffic.mp4, said\n", "")


def test_search_prints_a_line_a_result(indexed, playhead):
    done = playhead("search", "talks", "red car")
    assert re.fullmatch(
        r"00:00:00\.5–00:00:02\.0  traffic\.mp4  said  \d\.\d\d  The red car stops at the bridge\.\n", done.out
    )
    lines = playhead("search", "talks", "the budget or the car").out.splitlines()
    assert sorted(line.split()[1] for line in lines) == ["budget.mp4", "traffic.mp4"]
    assert playhead("search", "talks", "zeppelin") == Done(0, "", "nothing found\n")


def test_a_typing_error_is_corrected_and_named(indexed, playhead):
    for command in ("search", "find"):
        typed, meant = playhead(command, "talks", "the budegt"), playhead(command, "talks", "the budget")
        assert typed.err == "Read “budegt” as “budget”.\n"
        assert typed.out == meant.out != ""


def test_search_prints_data_and_takes_filters(indexed, playhead):
    (found,) = playhead("search", "talks", "red car", "--json").data
    assert set("evidence_id video_id video start end modality text score".split()) <= set(found)
    assert (found["start"], found["end"], found["modality"]) == (0.5, 2.0, "speech")
    assert found["text"] == "The red car stops at the bridge."

    def texts(*options: str) -> list[str]:
        return [one["text"] for one in playhead("search", "talks", "red car hurt", *options, "--json").data]

    assert texts() == ["The red car stops at the bridge.", "Nobody is hurt."]
    assert texts("-k", "1") == ["The red car stops at the bridge."]
    assert texts("--in", "object,caption") == []
    assert texts("--in", "speech, text") == texts()
    assert texts("--between", "00:02.2-00:00:04") == ["Nobody is hurt."]
    assert texts("--between", "2.2–4") == ["Nobody is hurt."]
    assert playhead("search", "talks/budget.mp4", "car hurt", "--json").data == []


def test_list_and_show_print_what_is_indexed(indexed, playhead):
    lines = playhead("list", "talks").out.splitlines()
    assert [line.split()[0] + " " + line.split()[-1] for line in lines] == [
        "00:00:04.9 talks/budget.mp4",
        "00:00:04.9 talks/traffic.mp4",
    ]
    assert [one["video"] for one in playhead("list", "talks", "--json").data] == [str(indexed / name) for name in SAID]
    lines = playhead("show", "talks/traffic.mp4").out.splitlines()
    assert lines[0] == "talks/traffic.mp4"
    assert lines[1].startswith("00:00:04.9 · 96×64 h264, no sound · id ")
    assert "said       done     1 found" not in lines
    assert lines[-2:] == [
        "00:00:00.5–00:00:02.0  said  The red car stops at the bridge.",
        "00:00:02.5–00:00:04.0  said  Nobody is hurt.",
    ]
    shown = playhead("show", "talks/traffic.mp4", "--json").data
    assert [(one["start"], one["end"], one["text"]) for one in shown["observations"]] == SAID["traffic.mp4"]
    assert shown["info"]["video"]["codec"] == "h264"


def test_chapters_prints_a_table_of_contents_of_each_video(indexed, playhead):
    assert playhead("chapters", "talks", "--scenes").out.splitlines() == [
        "talks/budget.mp4 · 00:00:04.9",
        "00:00:00.0–00:00:04.9  The budget for travel grew by twelve percent.",
        "                       scene 00:00:00.0–00:00:04.9",
        "talks/traffic.mp4 · 00:00:04.9",
        "00:00:00.0–00:00:04.9  The red car stops at the bridge.",
        "                       scene 00:00:00.0–00:00:04.9",
    ]
    (video,) = playhead("chapters", "talks/traffic.mp4", "--json").data
    (chapter,) = video["chapters"]
    assert (chapter["start"], chapter["end"], chapter["heading"]) == (0.0, pytest.approx(5, abs=0.2), None)
    assert chapter["scenes"] == [{"start": chapter["start"], "end": chapter["end"]}]
    assert [(one["start"], one["quote"]) for one in chapter["quotes"]] == [(0.5, "The red car stops at the bridge.")]


def test_without_videos_there_are_no_chapters(indexed, playhead):
    for name in SAID:
        assert playhead("remove", f"talks/{name}").code == 0
    nothing = "no video is indexed here: run `playhead index` on a folder of videos first\n"
    assert playhead("chapters", "talks") == Done(0, "", nothing)
    assert playhead("chapters", "talks", "--json") == Done(0, "[]\n", "")


def test_list_says_when_a_file_is_gone(indexed, playhead):
    (indexed / "traffic.mp4").unlink()
    assert playhead("list", "talks").out.splitlines()[1].endswith("talks/traffic.mp4 (missing)")


def test_remove_takes_videos_out_and_leaves_their_files(indexed, playhead):
    assert playhead("remove", "talks/traffic.mp4") == Done(0, "removed talks/traffic.mp4\n", "")
    assert [Path(one["video"]).name for one in playhead("list", "talks", "--json").data] == ["budget.mp4"]
    assert (indexed / "traffic.mp4").exists()
    assert playhead("remove", "budget.mp4", "--library", "talks/.playhead", "--json").data[0]["duration"] > 4
    assert playhead("list", "talks") == Done(0, "", "no video is indexed here\n")


def test_a_library_may_be_in_another_folder(talks, playhead):
    assert playhead("index", "talks/budget.mp4", "talks/traffic.mp4", "--library", "lib").code == 0
    assert not (talks / ".playhead").exists()
    assert len(playhead("list", "talks", "--library", "lib", "--json").data) == 2
    assert len(playhead("list", "lib", "--json").data) == 2
    assert len(playhead("list", "talks/budget.mp4", "--library", "lib", "--json").data) == 1
    assert "The red car" in playhead("ask", "talks", "What is said about the red car?", "--library", "lib").out


def test_doctor_lists_what_is_available_and_what_is_missing(playhead, monkeypatch):
    monkeypatch.delenv("PLAYHEAD_TEXT_MODEL")
    done = playhead("doctor", "--json", "--objects-model", "not-there.pt")
    assert done.code == 0
    found = {finding["part"]: (finding["state"], finding["detail"]) for finding in done.data}
    assert found["python"][0] == "ready"
    assert found["decoder"][1].startswith("pyav ")
    assert found["speech"] == ("missing", "switched off")
    assert found["objects"][0] == "missing"
    assert "'not-there.pt'" in found["objects"][1]
    assert found["video LLM"][0] == "missing"
    table = playhead("doctor").out.splitlines()
    assert [re.split(r"  +", line)[0] for line in table] == list(found)
    assert [line for line in table if line != line.rstrip()] == []


# Options.


@pytest.mark.parametrize("command", [one for one in COMMANDS if one not in GROUPS])
def test_each_command_has_help(command, playhead):
    done = playhead(command, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: playhead {command} [OPTIONS]")
    assert ("--json" in done.out) == (command not in WITHOUT_JSON)
    examples = done.out.partition("Examples:\n")[2].splitlines()
    assert len(examples) == {"speakers": 3, "people": 4}.get(command, 2)
    assert all(f" {command}" in line for line in examples)
    for option in ("--offline", "--device", "-q, --quiet", "-v, --verbose", "-h, --help"):
        assert option in done.out
    assert playhead(command, "-h") == done


def test_evaluation_lists_its_own_commands(playhead):
    done = playhead("eval", "--help")
    assert done.code == 0
    listed = done.out.partition("Commands:\n")[2].splitlines()
    assert {"nextgqa", "tutorialvqa", "run", "datasets", "compare", "report"} <= {
        line.split()[0] for line in listed if line
    }
    assert "--captions" in playhead("eval", "nextgqa", "--help").out


def test_the_help_names_all_commands_with_whole_sentences(playhead):
    done = playhead("--help")
    listed = [line for line in done.out.splitlines() if re.match(r"  [a-z]+  ", line)]
    assert [line.split()[0] for line in listed] == list(COMMANDS)
    assert [line for line in listed if not line.endswith(".") or line.endswith("...")] == []
    assert len(done.out.splitlines()) <= 40
    assert re.fullmatch(r"playhead \d+\.\d+\.\d+\n", playhead("--version").out)


@pytest.mark.parametrize(
    ("group", "commands"),
    [("model", ["list", "pull", "use", "status", "stop"]), ("threads", ["list", "delete"])],
)
def test_a_group_names_its_commands_with_whole_sentences(group, commands, playhead, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    done = playhead(group, "--help")
    listed = done.out.partition("Commands:\n")[2].splitlines()
    assert (done.code, [line.split()[0] for line in listed]) == (0, commands)
    assert [line for line in listed if not line.endswith(".") or line.endswith("...")] == []


def test_help_fits_a_terminal_of_80_columns(playhead, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for command in ([], *([command] for command in COMMANDS)):
        assert max(map(len, playhead(*command, "--help").out.splitlines())) <= 80


@pytest.mark.parametrize(
    "command",
    [
        ["ask", "talks", "What is said about the red car?"],
        ["search", "talks", "red car"],
        ["list", "talks"],
        ["show", "talks/traffic.mp4"],
        ["chapters", "talks"],
        ["index", "talks"],
        ["doctor"],
        ["remove", "talks/traffic.mp4"],
    ],
    ids=lambda command: command[0],
)
def test_general_options_come_before_or_after_the_command(command, indexed, playhead):
    for options in (["--offline"], ["--device", "cpu"], ["-v"], ["-q"]):
        assert playhead(*options, *command[:1], "--help").code == 0
    for device in (["--device", "tpu"], ["--device=tpu"]):
        for line in ([*device, *command], [*command, *device], [command[0], *device, *command[1:]]):
            done = playhead(*line)
            assert done.code == 2
            assert (
                done.complaint
                == "playhead: setting device does not take 'tpu': Input should be 'auto', 'cpu' or 'cuda'"
            )
    before = playhead("--offline", "--device", "cpu", "-q", *command)
    if command[0] == "remove":
        assert playhead("index", "talks").code == 0
    after = playhead(*command, "--offline", "--device", "cpu", "-q")
    assert (before.code, after.code) == (0, 0)
    assert before.out == after.out


def test_offline_counts_before_and_after_the_command(playhead, monkeypatch):
    monkeypatch.delenv("PLAYHEAD_OFFLINE")
    for line in (["--offline", "doctor"], ["doctor", "--offline"]):
        findings = playhead(*line, "--objects-model", "not-there.pt", "--json").data
        assert "(offline)" in next(one["detail"] for one in findings if one["part"] == "objects")


def test_a_model_setting_takes_a_local_path(indexed, playhead, tmp_path):
    model = tmp_path / "missing" / "model"
    for option in ("--speech-model", "--text-model", "--image-model", "--objects-model"):
        findings = playhead("doctor", "--json", option, model).data
        assert [one for one in findings if str(model) in one["detail"]], option


def test_any_other_setting_is_set_by_name(playhead):
    assert playhead("doctor", "--set", "decoder=decord", "--json").data[2]["detail"].startswith("decord ")
    decoder = playhead("doctor", "--set", "decoder=nvdec", "--json").data[2]
    assert decoder["state"] == ("missing" if nvdec_error() else "ready")
    assert playhead("doctor", "--set", "colour=red").complaint.startswith("playhead: there is no setting 'colour'")
    assert playhead("doctor", "--set", "colour").complaint == (
        "playhead: --set 'colour': give FIELD=VALUE, e.g. --set sample_seconds=1"
    )
    key = playhead("doctor", "--set", "video_llm_key=sk-secret", "--set", "sample_seconds=0")
    assert "sk-secret" not in key.out + key.err


def test_quiet_leaves_results_and_failures(talks, playhead):
    (talks / "text.mp4").write_text("hello")
    done = playhead("index", "talks", "-q")
    assert (done.code, done.out) == (1, "")
    assert done.complaint.startswith("✗ talks/text.mp4 is not a readable video or audio file")
    assert playhead("-q", "ask", "talks", "What is said about the red car?").out.startswith("The red car")


# Bad input: one clear line each.


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("index nothere.mp4", r"\S+/nothere\.mp4 does not exist: check the path"),
        ("index talk", r"\S+/talk does not exist: did you mean \S+/talks\?"),
        ("list", "nothing is indexed in this folder, but talks is indexed: write `talks` as PLACE"),
        ("ask https://tube.example/v why", "https://tube.example/v is a web address: index it first with .*"),
        ("index empty", "no video or sound file in empty: known endings are .*"),
        ("ask empty why", "nothing is indexed in empty yet: run `playhead index empty` first"),
        ("list talks --library nolib", "there is no library nolib: check --library, .*"),
        (
            "show talks/nothere.mp4",
            r"'talks/nothere\.mp4' names no videos of this library, .* The library holds: .*budget\.mp4.*",
        ),
        (
            "show talks",
            r"'talks' names 2 videos of this library, and exactly one is needed: .*budget\.mp4, .*traffic\.mp4",
        ),
        ("remove talks/nothere.mp4", r"'talks/nothere\.mp4' names no videos of this library.*"),
        ("ask talks/nothere.mp4 why", r"'\S+/nothere\.mp4' is not a video of this library, which holds: .*"),
    ],
)
def test_a_job_that_cannot_be_done_ends_with_one_line_and_code_1(line, complaint, indexed, playhead):
    Path("empty").mkdir()
    done = playhead(*line.split())
    assert (done.code, done.out) == (1, "")
    assert re.fullmatch(f"playhead: {complaint}", done.complaint)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (
            "search talks x --in smell",
            r"no modality smell: there are said \(speech\), written \(text\), .*",
        ),
        (
            "search talks x --between 20-10",
            r"between=\(20\.0, 10\.0\): give a start of 0 or more and a later end.*",
        ),
        ("search talks x --between soon", "--between 'soon': give START-END, e.g. 10:00-20:00 or 90-120.5"),
        ("ask talks x --between 10:00", "--between '10:00': give START-END.*"),
        ("ask talks ?", "the question is empty: write one"),
        ("ask talks", "no question: write one after PLACE, in quotes"),
        ("ask talks why --resume --thread t", "--resume continues the question of a thread: .*"),
        ("ask talks --resume", "--resume continues the question of a thread: give --thread NAME, .*"),
        ("ask talks --resume --thread t", "there is no question in thread 't': ask one with this thread's name"),
        ("clip talks 0:01-0:02", "0:01-0:02: 2 videos are in talks, write which one: VIDEO@0:01-0:02"),
        ("ask talks why --json --events", "--json and --events cannot be used together: choose one"),
        ("index talks --ocr tesseract", "setting ocr does not take 'tesseract': .*'rapidocr', 'easyocr' or 'off'"),
    ],
)
def test_a_query_or_setting_that_is_not_valid_ends_with_one_line_and_code_2(line, complaint, indexed, playhead):
    done = playhead(*(" " if part == "?" else part for part in line.split()))
    assert (done.code, done.out) == (2, "")
    assert re.fullmatch(f"playhead: {complaint}", done.complaint)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ask what did it do", "too many arguments from 'it do' on: put words that belong together in quotes"),
        ("frobnicate", "No such command 'frobnicate'. See `playhead --help`."),
        ("help", "No such command 'help'. See `playhead --help`."),
        ("serach talks x", "No such command 'serach'. Did you mean 'search'?"),
        ("subtitles talks", "No such command 'subtitles'. See `playhead export --help`."),
        ("transcribe talks", "No such command 'transcribe'. See `playhead export --help`."),
        ("cut talks", "No such command 'cut'. See `playhead clip --help`."),
        ("search talks", "no query: write one after PLACE, in quotes"),
        ("search talks x -k 0", "Invalid value for '-k'"),
        ("search talks x -k many", "Invalid value for '-k'"),
        ("list talks --frobnicate", "No such option: --frobnicate"),
        ("index talks other/a.mp4", "the paths are in several folders: name the library's folder"),
    ],
)
def test_bad_usage_ends_with_code_2(line, words, talks, playhead):
    done = playhead(*line.split())
    assert done.code == 2
    assert words in done.out + done.err
    assert "Traceback" not in done.err


def test_bad_files_fail_alone_and_the_others_are_indexed(talks, playhead):
    whole = (talks / "traffic.mp4").read_bytes()
    (talks / "cut.mp4").write_bytes(whole[: len(whole) // 2])  # its index, at the end, is lost
    (talks / "text.mp4").write_text("hello")
    (talks / "zero.mp4").touch()
    (talks / "sub").mkdir()
    (talks / "notes.txt").write_text("not looked at")
    done = playhead("index", "talks")
    assert done.code == 1
    assert [re.split("[ :]", line)[1] for line in done.err.splitlines()] == [
        "talks/cut.mp4",
        "talks/text.mp4",
        "talks/zero.mp4",
    ]
    assert "✗ talks/zero.mp4 is empty (0 bytes): copy or download it again" in done.err.splitlines()
    assert "it may be incomplete or of another type" in done.err
    assert done.out.splitlines()[-1] == "2 indexed, 3 failed · library talks/.playhead"
    states = {Path(one["path"]).name: one["state"] for one in playhead("index", "talks", "--json").data}
    assert states == dict.fromkeys(SAID, "unchanged") | dict.fromkeys(("cut.mp4", "text.mp4", "zero.mp4"), "failed")


def test_two_videos_may_have_the_same_name(talks, playhead, write_talk):
    write_talk(talks / "late" / "traffic.mp4", [(1, 2, "A green tram passes.")])
    assert playhead("index", "talks").out.splitlines()[-1] == "3 indexed · library talks/.playhead"
    assert playhead("search", "talks", "tram", "--json").data[0]["video"] == str(talks / "late" / "traffic.mp4")
    lines = playhead("search", "talks", "car tram").out.splitlines()
    assert {line.split()[1] for line in lines} == {"talks/traffic.mp4", "talks/late/traffic.mp4"}
    done = playhead("show", "traffic.mp4", "--library", "talks/.playhead")
    assert done.code == 1
    assert done.complaint.endswith(f"They are: {talks / 'late' / 'traffic.mp4'}, {talks / 'traffic.mp4'}")


def test_the_same_video_twice_is_one_video_in_two_places(talks, playhead):
    shutil.copy(talks / "traffic.mp4", talks / "zcopy.mp4")
    done = playhead("index", "talks")
    assert f"= talks/zcopy.mp4: same content as {talks / 'traffic.mp4'}" in done.out.splitlines()
    assert done.out.splitlines()[-1] == "2 indexed, 1 unchanged · library talks/.playhead"
    assert playhead("list", "talks").out.splitlines()[1].endswith("talks/traffic.mp4, talks/zcopy.mp4")
    assert len(playhead("search", "talks", "red car", "--json").data) == 1
    (talks / "traffic.mp4").unlink()
    assert playhead("index", "talks").code == 0
    assert playhead("search", "talks", "red car", "--json").data[0]["video"] == str(talks / "zcopy.mp4")


@pytest.mark.parametrize("command", ["index talks", "list talks", "ask talks why", "remove talks/budget.mp4"])
def test_a_library_of_a_newer_format_is_left_alone(command, indexed, playhead):
    (indexed / ".playhead" / "library.json").write_bytes(seal({"format": 99}))
    before = sorted((path, path.stat().st_mtime_ns) for path in (indexed / ".playhead").rglob("*"))
    done = playhead(*command.split())
    assert (done.code, done.out) == (1, "")
    assert "has format 99" in done.complaint
    assert "upgrade Playhead" in done.complaint
    assert sorted((path, path.stat().st_mtime_ns) for path in (indexed / ".playhead").rglob("*")) == before


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full: free some space"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EROFS, "the disk is read-only: choose another folder for the library"),
        (errno.EACCES, "permission denied"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_a_disk_that_does_not_take_it_is_one_line(number, words, talks, playhead, monkeypatch):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "mkdir", refuse)
        done = playhead("index", "talks")
    assert (done.code, done.out) == (1, "")
    assert words in done.complaint
    assert playhead("index", "talks").code == 0


def test_on_a_full_disk_nothing_is_lost(small_disk, talks, playhead):
    library = small_disk / "library"
    assert playhead("index", talks / "budget.mp4", "--library", library).code == 0
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space left"):
        filler.write_bytes(bytes(1 << 20))
    done = playhead("index", talks, "--library", library)
    assert done.code == 1
    assert str(library) in done.complaint
    assert "cannot write" in done.complaint or "cannot be written" in done.complaint
    assert "twelve percent" in playhead("ask", talks, "What is said about the budget?", "--library", library).out
    with (small_disk / "out").open("wb") as out:
        printed = process("list", talks, "--library", library, stdout=out, capture_output=False, stderr=subprocess.PIPE)
    assert (printed.code, printed.complaint) == (1, "playhead: No space left on device: standard output")
    filler.unlink()
    assert playhead("index", talks, "--library", library).out.splitlines()[-1].startswith("1 indexed, 1 unchanged")
    assert "red car" in playhead("ask", talks, "What is said about the red car?", "--library", library).out


def test_a_library_on_a_read_only_disk_is_read_and_not_written(small_disk, talks, playhead):
    for file in talks.iterdir():
        shutil.copy(file, small_disk)
    assert playhead("index", small_disk / "budget.mp4").code == 0
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    done = playhead("index", small_disk)
    assert done.code == 1
    assert "the disk is read-only: choose another folder for the library" in done.complaint
    assert playhead("remove", small_disk / "budget.mp4").code == 1
    assert "twelve percent" in playhead("ask", small_disk, "What is said about the budget?").out
    assert playhead("index", small_disk, "--library", talks / "library").code == 0


def test_files_and_folders_without_permission_are_named(talks, tmp_path):
    libc = ctypes.CDLL(None)

    def obey() -> None:
        """As root, give up the right to pass over permissions (PR_CAPBSET_DROP of CAP_DAC_OVERRIDE, …_READ_SEARCH)."""
        for capability in (1, 2):
            libc.prctl(24, capability, 0, 0, 0)

    (talks / "traffic.mp4").chmod(0)
    done = process("index", "talks", preexec_fn=obey)
    assert done.code == 1
    assert done.complaint == (
        "✗ talks/traffic.mp4 cannot be read (Permission denied): check that it exists and its permissions"
    )
    assert done.out.splitlines()[-1] == "1 indexed, 1 failed · library talks/.playhead"
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    done = process("index", "talks/budget.mp4", "--library", closed / "library", preexec_fn=obey)
    assert (done.code, done.out) == (1, "")
    assert "permission denied: choose another folder for the library" in done.complaint
    talks.chmod(0)
    try:
        done = process("index", "talks", "--library", "library", preexec_fn=obey)
    finally:
        talks.chmod(0o700)
    assert (done.code, done.out) == (1, "")
    assert "may not be read" in done.complaint


def test_the_traceback_is_for_who_asks_for_it(indexed, playhead, monkeypatch):
    monkeypatch.setenv("PLAYHEAD_DEBUG", "1")
    monkeypatch.setattr(sys, "argv", ["playhead", "list", "nowhere"])
    with pytest.raises(LibraryError, match="there is no file or folder nowhere"):
        main()


# Terminals, pipes and interrupts.


def test_an_interrupt_says_that_nothing_is_lost(talks, playhead, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("playhead.agent.library.index_runs.index_videos", interrupted)
    done = playhead("index", "talks")
    assert done.code not in (0, 2)
    assert done.complaint == "playhead: stopped. Finished work is kept: run the same command again to continue"


def test_an_interrupted_question_says_how_to_go_on(indexed, playhead, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("playhead.agent.graph.nodes.quote_evidence", interrupted)
        done = playhead("ask", "talks", "What is said about the red car?", "--thread", "monday talk")
        without = playhead("ask", "talks", "What is said about the red car?")
    assert done.code not in (0, 2)
    assert done.complaint == "playhead: stopped. Finished steps are kept: continue with --resume --thread 'monday talk'"
    assert (without.code, without.err) == (done.code, "")
    done = playhead("ask", "talks", "--resume", "--thread", "monday talk")
    assert done == Done(0, "The red car stops at the bridge. [00:00:00–00:00:02] traffic.mp4, said\n", "")


def test_a_pipe_that_is_closed_ends_quietly(indexed):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as out:
        done = process("list", "talks", stdout=out, capture_output=False, stderr=subprocess.PIPE)
    assert (done.code, done.err) == (1, "")


@pytest.fixture
def terminal() -> Iterator[tuple[int, Callable[[], str]]]:
    """A terminal to write to, and what was drawn on it, without colours and links."""
    screen, written = os.openpty()

    def drawn() -> str:
        seen = os.read(screen, 1 << 20).decode().replace("\r\n", "\n")
        return re.sub(r"\x1b\[[\d;?]*\w|\x1b\]8;[^\x1b]*\x1b\\", "", seen)

    yield written, drawn
    os.close(written)
    os.close(screen)


def test_on_a_terminal_progress_is_drawn_with_the_time_that_remains(talks, terminal):
    screen, drawn = terminal
    done = process("index", "talks", stderr=screen, stdout=subprocess.PIPE, capture_output=False)
    assert (done.code, done.out.splitlines()[0]) == (0, "✓ talks/budget.mp4: 00:00:04.9, 1 said")
    seen = drawn()
    assert re.search(r"\[1/2\] budget\.mp4: \w+ .* \d+% (-:--:--|\d:\d\d:\d\d)", seen)
    assert "✓" not in seen


def test_on_a_terminal_each_step_of_a_question_is_a_line(indexed, terminal, write_talk, playhead):
    write_talk(indexed / "odd.mp4", [(1, 2, "A [bold]zeppelin[/bold] lands \x1b]0;title\x07 :smile: \u202ehere.")])
    assert playhead("index", "talks").code == 0
    screen, drawn = terminal
    asked = {"stderr": screen, "stdout": subprocess.PIPE, "capture_output": False}
    done = process("ask", "talks", "What is said about the zeppelin?", **asked)
    assert done.out == "A [bold]zeppelin[/bold] lands ]0;title :smile: here. [00:00:01–00:00:02] odd.mp4, said\n"
    lines = [line.rpartition("\r")[2].strip() for line in drawn().splitlines()]
    steps = [line for line in lines if line and not re.search(r"\w+ing …\Z", line)]
    assert steps == [
        "looking for “zeppelin” in what is said",
        "1 piece of evidence: [00:00:01–00:00:02] said A [bold]zeppelin[/bold] lands ]0;…",
        "1 claim drafted",
        "1 claim checked: 1 verbatim",
    ]
    done = process("ask", "talks", "What is said about the zeppelin?", "-q", **asked)
    assert (done.code, done.out.split()[0]) == (0, "A")
    os.write(screen, b"nothing was drawn\n")
    assert drawn() == "nothing was drawn\n"


def test_tables_fit_the_terminal(indexed, terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    screen, drawn = terminal
    assert process("show", "talks/traffic.mp4", stdout=screen, stderr=subprocess.PIPE, capture_output=False).code == 0
    assert "00:00:00.5–00:00:02.0  said  The red car" in [line.rstrip() for line in drawn().splitlines()]


# The whole way, in a process of its own, with real models.


def test_a_real_question_in_a_process_of_its_own(talk_library, talk, truth, monkeypatch):
    for name in [name for name in os.environ if name.startswith("PLAYHEAD_") and name != "PLAYHEAD_SETTINGS_FILE"]:
        monkeypatch.delenv(name)
    done = process("--offline", "ask", talk, "What does the speaker say about the budget for travel?", "--json")
    assert (done.code, done.err) == (0, "")
    (claim,) = done.data["claims"]
    (citation,) = claim["citations"]
    said = next(one for one in truth["said"] if "budget" in one["text"])
    assert (claim["verdict"], citation["modality"]) == ("verbatim", "speech")
    assert citation["start"] == pytest.approx(said["start"], abs=0.5)
    assert citation["end"] == pytest.approx(said["end"], abs=0.5)
    assert read_keyframe(citation["keyframe"]).picture[8:12] == b"WEBP"


def test_a_library_at_a_url_needs_no_library_here(playhead, no_models, write_talk, tmp_path):
    """Videos of two folders, one with a library that cannot be read, go into one at a URL; and come back by `pull`."""
    pytest.importorskip("fsspec", reason="fsspec is not installed")
    for name in ("a", "b"):
        write_talk(tmp_path / name / f"{name}.mp4", [(1.0, 2.0, f"I am {name}.")])
    (tmp_path / "a" / ".playhead").mkdir()
    (tmp_path / "a" / ".playhead" / "library.json").write_text('{"format": 99}')
    url = f"file://{tmp_path}/shared"
    done = playhead("index", tmp_path / "a", tmp_path / "b", "--library", url)
    assert done.code == 0
    assert done.out.splitlines()[-1] == f"2 indexed · library {url}"
    pulled = playhead("pull", url, "--library", tmp_path / "here", "--json").data
    assert [one["state"] for one in pulled] == ["pulled", "pulled"]
    found = playhead("search", tmp_path / "here", "who is b?", "--json").data
    assert found[0]["text"] == "I am b."
    (removed,) = playhead("remove", "a.mp4", "--library", url, "--json").data
    assert removed["paths"] == [str(tmp_path / "a" / "a.mp4")]
    assert (tmp_path / "a" / "a.mp4").exists()
    (left,) = playhead("pull", url, "--library", tmp_path / "there", "--json").data
    assert left["path"].endswith("b.mp4")
    again = playhead("remove", "a.mp4", "--library", url)
    assert again.code == 1
    assert again.complaint.startswith("playhead: 'a.mp4' names no videos of this library, and exactly one is needed")
    assert again.complaint.endswith(f"The library holds: {tmp_path}/b/b.mp4")


def test_a_url_is_no_folder(playhead, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for line in (["index", tmp_path, "--library", "s3:/bucket/talks"], ["list", ".", "--library", "s3://bucket/talks"]):
        done = playhead(*line)
        assert done.code == 1
        assert "is not a folder: `playhead pull URL` copies a library from a URL" in done.complaint
    assert list(tmp_path.iterdir()) == []


# What a newcomer types.


def test_a_place_may_be_left_out_or_come_second(indexed, playhead, monkeypatch):
    question = "What is said about the red car?"
    said = "The red car stops at the bridge. [00:00:00–00:00:02] traffic.mp4, said\n"
    assert playhead("ask", question, "talks") == Done(0, said, "")
    monkeypatch.chdir(indexed)
    assert playhead("ask", question) == Done(0, said, "")
    assert playhead("list").out.count(".mp4") == 2


def test_a_mistyped_place_is_named_with_the_nearest(indexed, playhead):
    assert playhead("ask", "talk", "why?").complaint == "playhead: there is no file or folder talk: did you mean talks?"
    assert playhead("ask", "nowhere.mp4").complaint == (
        "playhead: there is no file or folder nowhere.mp4, and no question after it"
    )
    assert playhead("list", "s3://bucket/talks").complaint == (
        "playhead: s3://bucket/talks is a URL: copy its library with `playhead pull s3://bucket/talks` first"
    )


def test_a_bare_file_name_is_found_in_the_folder_below(indexed, playhead):
    assert "red car" in playhead("ask", "traffic.mp4", "What is said about the car?").out
    assert playhead("search", "budget.mp4", "car", "--json").data == []
    shutil.copytree(indexed, indexed.parent / "copies")
    both = playhead("search", "budget.mp4", "car").complaint
    assert (
        both == "playhead: there are several budget.mp4: copies/budget.mp4, talks/budget.mp4: write one of these paths"
    )


def test_playhead_alone_says_what_to_type_next(indexed, playhead, monkeypatch):
    assert "Indexed: talks. Try:\n\n  playhead ask talks " in playhead().out
    monkeypatch.chdir(indexed)
    assert "Indexed: this folder. Try:\n\n  playhead ask " in playhead().out
    shutil.rmtree(indexed / ".playhead")
    assert "2 video or sound files are in this folder. Index first:\n\n  playhead index .\n" in playhead().out
    (indexed / "empty").mkdir()
    monkeypatch.chdir(indexed / "empty")
    assert (playhead().code, "  playhead index FOLDER\n" in playhead().out) == (0, True)


def test_a_question_in_a_commands_position_gets_a_hint(playhead):
    done = playhead("Who won?")
    assert (done.code, "To ask: playhead ask PLACE 'Who won?'" in done.err) == (2, True)


def test_a_moment_is_named_by_time_alone_and_from_the_folder_above(indexed, playhead, monkeypatch):
    alone = playhead("clip", "talks/budget.mp4", "0:01-0:02", "-o", "a.mp4").out
    assert alone == playhead("clip", "budget.mp4@0:01-0:02", "-o", "a.mp4").out
    assert alone.startswith("a.mp4: 00:00:01.0–00:00:02.0 of budget.mp4, ")
    whole = (indexed / "budget.mp4").read_bytes()
    assert "is the video itself" in playhead("clip", "budget.mp4@0:01-0:02", "-o", "talks/budget.mp4").complaint
    assert (indexed / "budget.mp4").read_bytes() == whole
    nothing = playhead("clip", "talks", "Where is the penguin?")
    assert nothing.complaint.startswith("playhead: no moment answers 'Where is the penguin?'")
    assert nothing.complaint.endswith("Name it by its time: VIDEO@START-END")


def test_a_moment_opens_in_the_page_where_no_player_can(indexed, playhead, monkeypatch):
    served = []
    monkeypatch.setattr(
        "playhead.agent.cli.commands.exporting.serve_page", lambda library, fragment: served.append(fragment)
    )
    monkeypatch.setattr("shutil.which", lambda name: None)
    video = Library(indexed).video("budget.mp4").video_id[:12]
    assert "budget.mp4 at 00:00:01.0 in the page" in playhead("open", "budget.mp4@0:01").err
    assert served == [f"v={video}&t=1.0"]


def test_a_player_that_cannot_start_is_named(indexed, playhead, tmp_path, monkeypatch):
    (tmp_path / "mpv").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "mpv").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    failed = playhead("open", "budget.mp4@0:01", "--player", "mpv")
    assert failed.complaint == "playhead: mpv ended at once (code 3). See the moment in the page: --page"


def test_a_folder_below_an_indexed_one_is_that_part_of_it(indexed, playhead, write_talk):
    write_talk(indexed / "late" / "tram.mp4", [(1, 2, "A green tram passes.")])
    assert playhead("index", "talks").code == 0
    assert len(playhead("list", "talks/late", "--json").data) == 1


def test_what_is_not_indexed_is_indexed_on_request(talks, playhead):
    assert playhead("search", "talks", "red car").code == 1
    done = playhead("search", "talks", "red car", "--index", "--json")
    assert [one["text"] for one in done.data] == ["The red car stops at the bridge."]


def test_modalities_have_the_names_that_people_use(indexed, playhead):
    assert len(playhead("search", "talks", "red car", "--in", "said", "--json").data) == 1
    assert playhead("search", "talks", "red car", "--in", "written", "--json").data == []


def test_models_have_a_help_of_their_own(playhead):
    assert "--speech-model" not in playhead("index", "--help").out
    done = playhead("index", "--help-models")
    assert (done.code, "--speech-model" in done.out, "--force" in done.out) == (0, True, False)


def test_each_help_fits_a_screen(playhead, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    for command in COMMANDS[:-1]:
        assert len(playhead(command, "--help").out.splitlines()) <= 40, command


def test_a_chat_keeps_its_thread(indexed, playhead, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("What is said about the red car?\nAnd when does she say that?\n\n"))
    done = playhead("chat", "talks", "--thread", "monday")
    assert done.out.count("The red car stops at the bridge. [00:00:00–00:00:02] traffic.mp4, said") == 2
    assert "continue with: playhead chat talks --thread monday" in done.err


def test_clips_exports_and_notes_are_written(indexed, playhead, tmp_path):
    done = playhead("clip", "talks", "traffic.mp4@1-2", "-o", "out.mp4")
    assert done == Done(0, "out.mp4: 00:00:01.0–00:00:02.0 of traffic.mp4, 10 frames\n", "")
    assert playhead("clip", "talks", "What is said about the red car?", "-o", "car.mp4").out.startswith(
        "car.mp4: 00:00:00.5"
    )
    done = playhead("export", "talks", "--srt", "--chapters", "-o", "made")
    assert done.code == 0
    names = {path.name for path in (tmp_path / "made").iterdir()}
    assert names == {f"{video}{ending}" for video in ("budget", "traffic") for ending in (".srt", ".chapters.vtt")}
    assert playhead("export", "talks", "--srt").complaint.endswith("name a folder for them with -o DIR")
    assert playhead("notes", "talks/traffic.mp4").out == "traffic-notes/notes.md\n"
    assert "The red car stops" in (tmp_path / "traffic-notes" / "notes.md").read_text()
    assert playhead("sheet", "talks/traffic.mp4", "-n", "4", "-o", "sheet.png").code == 0
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")
    bundle = playhead("moment", "talks/traffic.mp4@0-2", "--json", "-o", "frames", "--frames", "2").data
    assert [one["text"] for one in bundle["said"]] == ["The red car stops at the bridge."]
    assert len(list((tmp_path / "frames").iterdir())) == 2
    for words in (
        ("talks/traffic.mp4", "0:00-0:02"),
        ("talks", "Where does the red car stop?"),
        ("talks", "traffic.mp4@0-2"),
    ):
        same = playhead("moment", *words, "--json").data
        assert [one["text"] for one in same["said"]] == ["The red car stops at the bridge."]
    assert "2 videos are in talks, write which one: VIDEO@0:01" in playhead("moment", "talks", "0:01").complaint
    assert "red car" in playhead("context", "talks", "What is said about the red car?", "--max-tokens", "300").out


def test_an_answer_is_written_as_one_html_file(indexed, playhead, tmp_path):
    question = "What is said about the red car?"
    assert playhead("ask", "talks", question, "--html", "a.html").code == 0
    made = (tmp_path / "a.html").read_text()
    assert 'src="talks/traffic.mp4#t=0.50,2.00"' in made
    assert playhead("ask", "talks", question, "--html", "b.html", "--embed").code == 0
    assert "data:video/mp4;base64," in (tmp_path / "b.html").read_text()


def test_remove_changes_nothing_where_one_name_is_wrong_and_removes_no_folder(indexed, playhead):
    for line in ("talks/budget.mp4 talks/nothere.mp4", "talks nothere.mp4", "talks"):
        done = playhead("remove", *line.split())
        assert (done.code, done.out) == (1, "")
    assert re.fullmatch(
        r"playhead: talks is a folder: name the videos to remove after it, e\.g\. budget\.mp4, traffic\.mp4; to remove all, "
        r"delete \S+/\.playhead",
        done.complaint,
    )
    assert len(playhead("list", "talks", "--json").data) == 2
    assert playhead("remove", "talks", "traffic.mp4") == Done(0, "removed traffic.mp4\n", "")
    assert playhead("remove", "talks").code == 1
    assert [Path(one["video"]).name for one in playhead("list", "talks", "--json").data] == ["budget.mp4"]


def test_a_library_without_a_video_does_not_take_the_folders_below_it(tmp_path, no_models, playhead, write_talk):
    """A run over files that cannot be read leaves an empty library behind."""
    (tmp_path / "broken.mp4").write_bytes(b"no video at all")
    assert playhead("index", str(tmp_path)).code == 1
    assert (tmp_path / ".playhead" / "library.json").is_file()
    assert library_folder(tmp_path) == tmp_path / ".playhead"
    video = write_talk(tmp_path / "below" / "talk.mp4", [(0, 2, "Gold.")])
    assert library_folder(video) == library_folder(video.parent) == tmp_path / "below" / ".playhead"
    assert playhead("index", str(tmp_path)).code == 1
    assert library_folder(video) == library_folder(video.parent) == tmp_path / ".playhead"

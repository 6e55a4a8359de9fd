"""Spans of stages and nodes reach the exporter of a program that uses OpenTelemetry; without it nothing is imported."""

import subprocess
import sys
from pathlib import Path

import pytest

from playhead.agent.cli.logs import JsonLines
from playhead.tools.errors import MissingExtraError
from playhead.tools.tracing import export_traces

# In its own process: the provider of a process can be set once.
ASK = """
import sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
from playhead import Library, Settings
off = dict.fromkeys(("speech_model", "ocr", "objects_model", "text_model", "image_model"), "off")
library = Library(sys.argv[1], Settings(offline=True, **off))
with trace.get_tracer("program").start_as_current_span("program"):
    library.index(sys.argv[1])
    library.ask("When is the secret meeting?")
spans = exporter.get_finished_spans()
root = next(span for span in spans if span.name == "program")
for span in spans:
    same = span.context.trace_id == root.context.trace_id
    print(span.name, dict(span.attributes), same, sep="|")
"""


def test_stages_and_nodes_are_spans_of_the_callers_trace_without_content(tmp_path: Path, write_talk) -> None:
    pytest.importorskip("opentelemetry.sdk")
    write_talk(tmp_path / "a.mp4", [(0, 4, "The secret meeting is on Monday")])
    shown = subprocess.run(
        [sys.executable, "-c", ASK, str(tmp_path)], capture_output=True, text=True, check=True, timeout=120
    ).stdout
    lines = [line.split("|") for line in shown.splitlines()]
    names = [line[0] for line in lines]
    assert "index.video" in names
    assert ("index.stage", "speech") in [(line[0], "speech" if "'speech'" in line[1] else "") for line in lines]
    assert [name for name in names if name.startswith("ask.")] == [
        "ask.plan", "ask.retrieve", "ask.quote", "ask.check", "ask.judge",
    ]  # fmt: skip
    assert {line[2] for line in lines} == {"True"}
    assert "secret" not in shown
    assert "Monday" not in shown


def test_without_opentelemetry_nothing_is_imported() -> None:
    code = "import sys; from playhead.tools.tracing import traced_span\nwith traced_span('x', a=1): pass\n"
    code += "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "[]\n"


def test_traces_without_the_package_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(MissingExtraError, match=r"playhead\[otel\]"):
        export_traces("otlp")


def test_a_log_line_is_one_json_object() -> None:
    import json
    import logging

    record = logging.LogRecord("playhead.x", logging.WARNING, "", 1, "two\nlines: %s", ("ü",), None)
    shown = JsonLines().format(record)
    assert "\n" not in shown
    data = json.loads(shown)
    assert (data["level"], data["logger"], data["message"]) == ("warning", "playhead.x", "two\nlines: ü")
    assert data["time"].endswith("+00:00")

"""OpenTelemetry spans of stages and nodes. The only module that imports `opentelemetry`, and only where traces are on.

A program that has set up OpenTelemetry gets the spans in its own traces; the command line exports them as the setting
`traces` says. Spans carry names, counts and seconds: neither questions nor what videos contain.
"""

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

from .errors import MissingExtraError

__all__ = ["export_traces", "traced_span"]


def traced_span(name: str, **attributes: str | int | float) -> AbstractContextManager[Any]:
    """Return a context manager that measures a block as a span; it does nothing where OpenTelemetry is not loaded.

    Args:
        name: What the block does, e.g. `index.stage`.
        attributes: Facts about it, without content of videos; the names get the prefix `playhead.`.
    """
    api = sys.modules.get("opentelemetry.trace")
    if api is None:
        return nullcontext()
    given = {f"playhead.{key}": value for key, value in attributes.items()}
    span: AbstractContextManager[Any] = api.get_tracer("playhead").start_as_current_span(name, attributes=given)
    return span


def export_traces(target: Literal["console", "otlp"]) -> None:
    """Send the spans of this process to stderr, or to the collector that the `OTEL_EXPORTER_OTLP_*` variables name.

    Raises:
        MissingExtraError: OpenTelemetry is not installed.
    """
    try:
        from opentelemetry import trace
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor

        provider = TracerProvider(resource=Resource.create({"service.name": "playhead"}))
        if target == "console":
            provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=sys.stderr)))
        else:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    except ModuleNotFoundError as error:
        raise MissingExtraError("traces", error.name or "opentelemetry", "otel") from error
    trace.set_tracer_provider(provider)

"""Video-LLM servers for tests: a scripted one that gives the answers it was given, and a real one with a model of noise."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from playhead.tools.records import Frame
from playhead.tools.settings import Settings

KEY = "sk-very-secret-123"


@dataclass
class Request:
    method: str
    path: str
    key: str | None
    body: dict


@dataclass
class Scripted:
    """A real HTTP server that gives its answers one after the other, the last one again and again."""

    port: int = 0
    answers: list["ScriptedAnswer"] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    hung_up: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    # What is read about the model before it is asked: no answer of the script, no request of it.
    listed: dict | None = field(default_factory=lambda: {"object": "list", "data": [{"id": "tiny"}]})
    props: dict | None = None
    # HTTP status of `/props` where there is none.
    unknown: int = 404

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def will(self, *bodies: object, status: int = 200, **more: object) -> None:
        for body in bodies:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.answers.append(ScriptedAnswer(status, content, **more))

    def say(self, *texts: str, **usage: int) -> None:
        """Completions with these words."""
        self.will(*(completion(text, **({"usage": usage} if usage else {})) for text in texts))


@dataclass
class ScriptedAnswer:
    """Status 0: says nothing until the test ends. `trickle`: head and body come byte by byte, this many seconds apart."""

    status: int
    content: bytes
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=lambda: {"retry-after-ms": "1"})  # no pauses in the test's time
    trickle: float = 0.0
    # Bytes that are announced and never sent: the connection ends in the middle of the body.
    missing: int = 0


def _handler_of(script: Scripted) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            key = self.headers["Authorization"]
            script.requests.append(Request(self.command, self.path, key, json.loads(body) if body else {}))
            answer = script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
            if answer.status == 0:
                script.released.wait(10)
                return
            if answer.trickle:
                self._trickle(answer)
                return
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.content) + answer.missing))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.content)

        def _trickle(self, answer: ScriptedAnswer) -> None:
            head = f"HTTP/1.0 {answer.status} OK\r\nContent-Type: {answer.kind}\r\n\r\n".encode()
            try:
                for byte in head + answer.content:
                    self.wfile.write(bytes([byte]))
                    time.sleep(answer.trickle)
            except OSError:
                script.hung_up.set()

        def do_GET(self) -> None:
            about = script.props if self.path == "/props" else script.listed if self.path == "/v1/models" else None
            if about is None and self.path != "/props":
                self.do_POST()
                return
            content = json.dumps(about or {"error": "not found"}).encode()
            self.send_response(script.unknown if about is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def scripted_server(port: int = 0) -> Iterator[Scripted]:
    """A server at this port; 0: at a free one."""
    scripted = Scripted()
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler_of(scripted))
    scripted.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield scripted
    finally:
        scripted.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


def settings_for(script: Scripted, **values: object) -> Settings:
    chosen = {"video_llm_url": script.url, "video_llm_model": "tiny", "video_llm_key": KEY, "video_llm_timeout": 5}
    return Settings(**{**chosen, **values})


def completion(text: str | None, finish_reason: str = "stop", **more: object) -> dict:
    message = {"role": "assistant", "content": text}
    return {"id": "1", "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}], **more}


def frame(seconds: float, width: int = 64, height: int = 36) -> Frame:
    """Left half red, right half blue: tells RGB from BGR, and a mirrored picture."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2, 0] = 250
    pixels[:, width // 2 :, 2] = 250
    return Frame(seconds, pixels)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"]
_CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}"
    "{% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_tiny_model(folder: Path) -> None:
    """A Qwen3-VL with random weights and its own byte-level tokenizer; it can write letters only."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import (
        PreTrainedTokenizerFast,
        Qwen2VLImageProcessor,
        Qwen3VLConfig,
        Qwen3VLForConditionalGeneration,
        Qwen3VLProcessor,
        Qwen3VLVideoProcessor,
    )

    bytewise = Tokenizer(models.BPE())
    bytewise.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytewise.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        special_tokens=[*_SPECIAL, "<|video_pad|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bytewise.train_from_iterator(["a frame of a video"], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bytewise, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    number = tokenizer.get_vocab()
    config = Qwen3VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "max_position_embeddings": 4096,
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": [4, 2, 2],
                "mrope_interleaved": True,
                "rope_theta": 10_000.0,
            },
        },
        vision_config={
            "depth": 2,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_heads": 4,
            "out_hidden_size": 64,
            "deepstack_visual_indexes": [0],
            "num_position_embeddings": 64,
        },
        image_token_id=number["<|image_pad|>"],
        video_token_id=number["<|video_pad|>"],
        vision_start_token_id=number["<|vision_start|>"],
        vision_end_token_id=number["<|vision_end|>"],
    )
    torch.manual_seed(0)
    model = Qwen3VLForConditionalGeneration(config)
    model.generation_config.suppress_tokens = [
        i for i in range(len(tokenizer)) if i <= number["<|video_pad|>"] or not tokenizer.decode([i]).isalpha()
    ]
    model.save_pretrained(folder)
    Qwen3VLProcessor(
        image_processor=Qwen2VLImageProcessor(patch_size=16, merge_size=2, min_pixels=32 * 32, max_pixels=32 * 32 * 64),
        tokenizer=tokenizer,
        video_processor=Qwen3VLVideoProcessor(),
        chat_template=_CHAT_TEMPLATE,
    ).save_pretrained(folder)


class TransformersServer:
    """A `transformers serve` with the model that lies in `folder`; it starts while tests go on."""

    def __init__(self, folder: Path) -> None:
        for module in ("fastapi", "uvicorn", "accelerate", "transformers"):
            pytest.importorskip(module, reason=f"transformers serve needs {module}: pip install 'playhead[dev]'")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/v1"
        self._log = folder.parent / "log.txt"
        offline = {
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(folder.parent / "hub"),
            "CUDA_VISIBLE_DEVICES": "",
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder)]
        command += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
        with self._log.open("wb") as out:
            self._process = subprocess.Popen(
                command, env={**os.environ, **offline}, stdout=out, stderr=subprocess.STDOUT
            )

    def wait(self) -> None:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urllib.request.urlopen(self.url.removesuffix("v1") + "health", timeout=2) as answer:
                    assert answer.status == 200
                    return
            except (urllib.error.URLError, TimeoutError):
                time.sleep(0.2)
        pytest.fail(f"transformers serve did not start:\n{self._log.read_text()[-2000:]}")

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(60)  # it first ends the request that it generates for
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

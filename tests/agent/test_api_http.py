"""The HTTP API and the OpenAI-compatible chat, with a real server and real clients."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import pytest

from playhead import Library

uvicorn = pytest.importorskip("uvicorn")
pytest.importorskip("fastapi")

from playhead.agent.serving.access import Access  # noqa: E402 (after the skip)
from playhead.agent.serving.app import create_app  # noqa: E402

QUESTION = "What does the speaker say about the budget for travel?"


@pytest.fixture(scope="module")
def client(talk_library: Library) -> Iterator[httpx.Client]:
    access = Access(token="key")
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(talk_library, access, api=True), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.05)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with httpx.Client(base_url=url, headers={"Authorization": "Bearer key"}, timeout=60) as client:
        yield client
    server.should_exit = True
    thread.join()


def test_every_route_is_described(client: httpx.Client):
    paths = client.get("/openapi.json").json()["paths"]
    assert {path for path in paths if path.startswith("/v1")} == {
        "/v1/videos", "/v1/videos/{video_id}", "/v1/chapters/{video_id}", "/v1/search", "/v1/find", "/v1/ask",
        "/v1/check", "/v1/similar", "/v1/keyframes/{evidence_id}", "/v1/clips", "/v1/index", "/v1/models", "/v1/models/playhead",
        "/v1/chat/completions",
    }  # fmt: skip


def test_the_key_is_needed(client: httpx.Client):
    assert httpx.get(f"{client.base_url}/v1/videos").status_code == 401
    assert httpx.get(f"{client.base_url}/v1/videos", headers={"Authorization": "Bearer no"}).status_code == 401


def test_claims_are_checked_without_showing_paths(client: httpx.Client, talk_library: Library):
    claims = [{"claim": "The new battery lasts for nine days.", "video": "talk.mp4", "at": "0:38"}]
    reply = client.post("/v1/check", json={"claims": claims})
    (checked,) = reply.json()["checked"]
    assert (checked["verdict"], checked["evidence"][0]["start"]) == ("contradicted", pytest.approx(39, abs=0.5))
    assert str(talk_library.folder.parent) not in reply.text
    assert client.post("/v1/check", json={"claims": [{"claim": "x", "at": "noon"}]}).status_code == 422


def test_frames_are_compared_with_a_moment_and_a_picture(client: httpx.Client, talk_library: Library):
    found = client.get("/v1/similar", params={"moment": "talk.mp4@0:12", "k": 2}).json()
    assert [row["start"] for row in found["results"]] == pytest.approx([28, 46], abs=0.1)
    cat = talk_library.keyframe_at("talk.mp4", 40)
    found = client.post("/v1/similar", content=cat, headers={"Content-Type": "image/webp"}).json()
    assert found["results"][0]["start"] == pytest.approx(38, abs=0.1)
    assert "ImageNet" in found["compared_by"]
    assert client.post("/v1/similar", content=b"no picture").status_code == 400


def test_search_find_and_chapters(client: httpx.Client):
    (video,) = client.get("/v1/videos").json()["videos"]
    found = client.get("/v1/search", params={"q": "budget for travel", "kind": "speech"}).json()["results"]
    assert found[0]["text"] == "The budget for travel grew by 12% this year."
    assert (found[0]["video"], found[0]["start"]) == (video["id"], pytest.approx(10, abs=0.5))
    moments = client.get("/v1/find", params={"q": "budget for travel", "video": video["id"]}).json()["moments"]
    assert moments[0]["start"] < 13 < moments[0]["end"]
    assert client.get(f"/v1/chapters/{video['id']}").json()["chapters"][0]["start"] == 0
    assert client.get("/v1/chapters/nothing").status_code == 404
    assert client.get("/v1/search", params={"q": ""}).status_code == 422
    picture = client.get(f"/v1/keyframes/{found[0]['id']}")
    assert picture.status_code in (200, 404)


def test_ask_as_json_and_as_events(client: httpx.Client):
    answer = client.post("/v1/ask", json={"question": QUESTION}).json()
    assert answer["status"] == "answered"
    citation = answer["claims"][0]["citations"][0]
    assert (citation["video"], citation["start"]) == ("talk.mp4", pytest.approx(10, abs=0.5))
    with client.stream("POST", "/v1/ask", json={"question": QUESTION, "stream": True}) as response:
        kinds = [line[7:] for line in response.iter_lines() if line.startswith("event: ")]
    assert kinds[0] == "plan"
    assert kinds[-1] == "answer"


def test_a_clip_is_a_video(client: httpx.Client, tmp_path):
    av = pytest.importorskip("av")
    data = client.post("/v1/clips", json={"moment": "talk.mp4@0:10-0:12"})
    assert data.headers["content-type"] == "video/mp4"
    (tmp_path / "clip.mp4").write_bytes(data.content)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert float(container.duration / 1e6) == pytest.approx(2, abs=0.15)
    assert client.post("/v1/clips", json={"moment": "../x@0-1"}).status_code in (400, 404)


def test_an_openai_client_chats_with_a_library(client: httpx.Client):
    chat = openai.OpenAI(base_url=f"{client.base_url}/v1", api_key="key")
    assert [model.id for model in chat.models.list()] == ["playhead"]
    assert abs(chat.models.retrieve("playhead").created - time.time()) < 600
    reply = chat.chat.completions.create(model="playhead", messages=[{"role": "user", "content": QUESTION}])
    message = reply.choices[0].message
    assert "grew by 12%" in message.content
    cited = message.annotations[0].url_citation
    assert message.content[cited.start_index : cited.end_index] == "The budget for travel grew by 12% this year."
    assert "&t=10." in cited.url
    chunks = chat.chat.completions.create(
        model="playhead", messages=[{"role": "user", "content": QUESTION}], stream=True,
        stream_options={"include_usage": True},
    )  # fmt: skip
    *chunks, last = chunks
    assert "grew by 12%" in "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert (last.choices, last.usage.total_tokens) == ([], 0)  # without a model
    with pytest.raises(openai.BadRequestError) as refused:
        chat.chat.completions.create(model="playhead", messages=[{"role": "system", "content": "x"}])
    assert "ask a question" in refused.value.response.text


def test_many_clients_at_once(client: httpx.Client):
    with ThreadPoolExecutor(16) as pool:
        statuses = list(
            pool.map(lambda n: client.get("/v1/search", params={"q": f"budget {n % 7}"}).status_code, range(64))
        )
    assert statuses == [200] * 64
    assert json.loads(client.get("/v1/index").text)

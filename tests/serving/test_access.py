"""Who may read what: token, password, host, origin, paths; and how the original file is served."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from playhead import Library

pytest.importorskip("fastapi", reason="the extra ui is not installed")

from fastapi.testclient import TestClient

from playhead.agent.serving.access import Access
from playhead.agent.serving.app import create_app

pytestmark = pytest.mark.usefixtures("no_models")
HERE = "http://127.0.0.1:8484"
KEY = {"authorization": "Bearer the-token"}


@pytest.fixture
def library(tmp_path: Path, write_talk) -> Library:
    write_talk(tmp_path / "talks" / "a.mp4", [(1.0, 3.0, "The budget for travel grew by twelve percent.")])
    (tmp_path / "talks" / "secret.txt").write_text("not for the browser")
    library = Library(tmp_path / "talks" / ".playhead")
    library.index(tmp_path / "talks")
    return library


@pytest.fixture
def client(library: Library) -> Iterator[TestClient]:
    with TestClient(create_app(library, Access(token="the-token")), base_url=HERE, follow_redirects=False) as client:
        yield client


def test_without_the_token_nothing_is_served(client):
    for path in ("/", "/api/library", "/api/search?q=budget", "/static/main.js", "/media/x", "/api/keyframes/x"):
        assert client.get(path).status_code == 401, path
        assert client.get(path, headers={"authorization": "Bearer wrong"}).status_code == 401
    assert client.get("/?token=wrong").status_code == 401
    assert "Send the header `Authorization: Bearer KEY`" in client.get("/v1/videos").text
    assert "Open the address that `playhead ui` printed" in client.get("/api/library").text
    assert client.post("/api/ask", json={"question": "why"}).status_code == 401


def test_the_address_with_the_token_lets_a_browser_in(client):
    first = client.get("/?token=the-token&x=1")
    assert (first.status_code, first.headers["location"]) == (303, "/?x=1")
    assert first.headers["set-cookie"] == "playhead-8484=the-token; Path=/; HttpOnly; SameSite=Strict"
    page = client.get("/", headers={"cookie": "playhead-8484=the-token"})
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": "evil.example:8484"}, 421),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, 403),
        ({"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}, 403),
        ({"origin": HERE, "sec-fetch-site": "same-origin"}, 200),
        ({"host": "localhost:8484"}, 200),
    ],
)
def test_other_sites_and_names_are_refused(client, headers, status):
    assert client.get("/api/library", headers=KEY | headers).status_code == status


def test_no_path_leads_out_of_the_library(client, library):
    (record,) = library.videos()
    for path in (
        "/media/../secret.txt",
        "/media/..%2fsecret.txt",
        "/media/%2e%2e/secret.txt",
        "/media/secret.txt",
        f"/media/{record.video_id[:12]}",
        f"/media/{record.video_id}/../../secret.txt",
        "/static/..%2fapp.py",
        "/static/../app.py",
        "/static/login.html",
        "/api/keyframes/..%2f..%2flibrary.json",
        "/api/videos/..%2flibrary.json",
    ):
        assert client.get(path, headers=KEY).status_code == 404, path
    listed = client.get("/api/library", headers=KEY).text
    assert str(library.folder.parent) not in listed
    answer = client.post("/api/ask", json={"question": "What is said about the budget?"}, headers=KEY).text
    assert "twelve percent" in answer
    assert str(library.folder.parent) not in answer


def test_the_original_file_is_served_by_ranges(client, library):
    (record,) = library.videos()
    data = library.path_of(record).read_bytes()
    whole = client.get(f"/media/{record.video_id}", headers=KEY)
    assert (whole.status_code, whole.content, whole.headers["content-type"]) == (200, data, "video/mp4")
    part = client.get(f"/media/{record.video_id}", headers=KEY | {"range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, data[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(data)}"
    assert client.get(f"/media/{record.video_id}", headers=KEY | {"range": "bytes=99999999-"}).status_code == 416


def test_pieces_are_bounded(client, library):
    (record,) = library.videos()
    piece = client.get(f"/media/{record.video_id}/piece?start=1&end=2", headers=KEY)
    assert piece.status_code == 200
    assert piece.content[4:8] == b"ftyp"
    assert client.get(f"/media/{record.video_id}/piece?start=0&end=60", headers=KEY).status_code == 400
    assert client.get(f"/media/{record.video_id}/piece?start=2&end=1", headers=KEY).status_code == 400


def test_search_takes_filters_and_explains_what_is_wrong(client, library):
    (record,) = library.videos()
    (found,) = client.get("/api/search?q=budget", headers=KEY).json()["results"]
    assert (found["start"], found["end"], found["called"], found["name"]) == (1.0, 3.0, "said", "a.mp4")
    assert client.get("/api/search?q=budget&kind=written", headers=KEY).json()["results"] == []
    assert client.get(f"/api/search?q=budget&video={record.video_id}", headers=KEY).json()["results"]
    wrong = client.get("/api/search?q=budget&video=nothere", headers=KEY)
    assert (wrong.status_code, wrong.json()["error"]) == (404, "this library holds no such video")
    assert client.get("/api/search?q=budget&start=5&end=2", headers=KEY).status_code == 400


def test_a_server_for_other_machines_asks_for_the_password(library, monkeypatch):
    monkeypatch.setattr("playhead.agent.serving.app._WRONG_PASSWORD_SECONDS", 0)
    access = Access(host="0.0.0.0", token="the-token", password="open sesame")
    with TestClient(create_app(library, access), base_url="http://192.168.1.5:80", follow_redirects=False) as client:
        assert client.get("/").headers["location"] == "/login"
        assert client.get("/api/library").status_code == 401
        assert client.post("/login", data={"password": "wrong"}).headers["location"].startswith("/login")
        right = client.post("/login", data={"password": "open sesame"})
        assert right.headers["location"] == "/"
        cookie = right.headers["set-cookie"].partition(";")[0]
        assert client.get("/api/library", headers={"cookie": cookie}).status_code == 200
        assert client.get("/", headers={"host": "evil.example"}).status_code == 421

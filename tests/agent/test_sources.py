"""Videos of pages, feeds, playlists and object storage are fetched once, complete or not at all. Servers are on loopback."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from playhead import Library
from playhead.agent.cli.main import app
from playhead.agent.sources.downloads import Downloads
from playhead.agent.sources.fetching import fetch
from playhead.agent.sources.records import FetchLimits
from playhead.agent.sources.web import WebSource
from playhead.index.indexing.extractor_set import Extractors
from playhead.tools.errors import SettingsError

from ..fakes import extractors
from ..media import write_media

pytest.importorskip("yt_dlp", reason="yt-dlp is not installed: pip install 'playhead[url]'")

FEED = """<?xml version="1.0"?><rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><channel>
<title>Budget talk</title>
<item><title>Episode/../2: roads</title><pubDate>Thu, 15 Jan 2026 10:00:00 GMT</pubDate><guid>g2</guid>
<itunes:duration>2</itunes:duration><enclosure url="{base}/two.mp4" type="video/mp4"/></item>
<item><title>Gone</title><enclosure url="{base}/gone.mp4" type="video/mp4"/></item>
<item><title>Local</title><enclosure url="file:///etc/hostname" type="video/mp4"/></item>
<item><title>Episode 1</title><pubDate>Thu, 08 Jan 2026 10:00:00 GMT</pubDate><guid>g1</guid>
<enclosure url="{base}/one.mp4" type="video/mp4"/></item>
</channel></rss>"""


@dataclass
class Site:
    """A web server: its folder, its address, and what was requested."""

    folder: Path
    url: str = ""
    requested: list[str] = field(default_factory=list)

    def media_requests(self) -> list[str]:
        return [path for path in self.requested if path.endswith((".mp4", ".ts"))]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "site"
    folder.mkdir()
    for number, name in enumerate(("one", "two")):
        write_media(folder / f"{name}.mp4", [n / 10 for n in range(20 + number)])
    made = Site(folder)

    class Handler(SimpleHTTPRequestHandler):
        def send_head(self):
            made.requested.append(self.path)
            if self.path.startswith("/private"):
                self.send_error(403)
                return None
            if self.path.startswith("/broken"):
                data = (folder / "one.mp4").read_bytes()
                self.send_response(200)
                self.send_header("content-type", "video/mp4")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data[: len(data) // 2])
                self.close_connection = True
                return None
            return super().send_head()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


def run(urls: str | list[str], folder: Path, force: bool = False, **limits):
    urls = [urls] if isinstance(urls, str) else urls
    return list(fetch(urls, folder, FetchLimits(**limits), lambda *_: None, force=force))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith(".fetched"))


def test_a_media_file_is_fetched_once(site: Site, tmp_path: Path):
    downloads = tmp_path / "downloads"
    (got,) = run(f"{site.url}/one.mp4", downloads)
    assert (got.state, got.title, got.detail) == ("fetched", "one", "")
    assert got.path.read_bytes() == (site.folder / "one.mp4").read_bytes()
    info = json.loads(got.path.with_suffix(".info.json").read_text())
    assert (info["title"], info["webpage_url"]) == ("one", f"{site.url}/one.mp4")
    site.requested.clear()
    (again,) = run(f"{site.url}/one.mp4", downloads)
    assert (again.state, again.path, site.requested) == ("known", got.path, [])
    got.path.unlink()
    (gone,) = run(f"{site.url}/one.mp4", downloads)
    assert (gone.state, gone.path, site.requested) == ("known", None, [])
    assert gone.detail == f"{got.path.name} was fetched before and is gone: --force fetches it again"
    (forced,) = run(f"{site.url}/one.mp4", downloads, force=True)
    assert (forced.state, forced.path.exists()) == ("fetched", True)


def test_a_feed(site: Site, tmp_path: Path):
    (site.folder / "feed.xml").write_text(FEED.format(base=site.url))
    downloads = tmp_path / "downloads"
    found = {one.title: one for one in run(f"{site.url}/feed.xml", downloads)}
    assert {title: one.state for title, one in found.items()} == {
        "Episode/../2: roads": "fetched", "Gone": "failed", "Local": "failed", "Episode 1": "fetched",
    }  # fmt: skip
    assert found["Gone"].detail == "the server answers 404: it does not exist (any more): check the URL"
    assert found["Local"].detail == "file:///etc/hostname is neither http nor https: not fetched"
    two = found["Episode/../2: roads"].path
    assert two.name.startswith("Episode_.._2_ roads [")
    info = json.loads(two.with_suffix(".info.json").read_text())
    assert (info["title"], info["upload_date"]) == ("Episode/../2: roads", "20260115")
    assert len(names(downloads)) == 4
    site.requested.clear()
    assert [one.state for one in run(f"{site.url}/feed.xml", downloads)] == ["known", "failed", "failed", "known"]
    assert set(site.media_requests()) == {"/gone.mp4"}


def test_limits(site: Site, tmp_path: Path):
    (site.folder / "feed.xml").write_text(FEED.format(base=site.url))
    first, rest = run(f"{site.url}/feed.xml", tmp_path / "a", count=1)
    assert (first.state, rest.state) == ("fetched", "skipped")
    assert rest.detail == f"the rest of {site.url}/feed.xml: the limit is 1"
    (large,) = run(f"{site.url}/one.mp4", tmp_path / "b", size=1000)
    assert large.state in ("skipped", "failed")
    assert "limit" in large.detail
    assert names(tmp_path / "b") == []
    long = run(f"{site.url}/feed.xml", tmp_path / "c", seconds=1.0)[0]
    assert (long.state, long.detail) == ("skipped", "it lasts 00:00:02, the limit is 00:00:01")


def test_an_hls_playlist(site: Site, tmp_path: Path):
    write_media(site.folder / "part.ts", [n / 10 for n in range(20)])
    head = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n"
    (site.folder / "talk.m3u8").write_text(f"{head}#EXTINF:2,\npart.ts\n#EXT-X-ENDLIST\n")
    (got,) = run(f"{site.url}/talk.m3u8", tmp_path / "a")
    assert (got.state, got.path.read_bytes()[:1]) == ("fetched", b"\x47")
    (site.folder / "evil.m3u8").write_text(f"{head}#EXTINF:2,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n")
    (evil,) = run(f"{site.url}/evil.m3u8", tmp_path / "b")
    assert evil.state == "failed"
    assert names(tmp_path / "b") == []
    (site.folder / "live.m3u8").write_text(f"{head}#EXTINF:2,\npart.ts\n")
    (live,) = run(f"{site.url}/live.m3u8", tmp_path / "c")
    assert (live.state, live.detail) == (
        "failed", "it is a live stream: `playhead live URL` indexes it while it runs",
    )  # fmt: skip


def test_what_fails_says_why_and_stops_nothing(site: Site, tmp_path: Path):
    (site.folder / "page.html").write_text("<html><body>nothing</body></html>")
    urls = [f"{site.url}/{name}" for name in ("private.mp4", "page.html", "broken.mp4")]
    urls += ["http://127.0.0.1:9/none.mp4", f"{site.url}/two.mp4"]
    private, page, broken, off, good = run(urls, tmp_path / "downloads")
    assert private.detail.startswith("the server answers 403: it may be private, or need a login")
    assert page.detail.startswith("no video is found on this page")
    assert broken.state == "failed"
    assert off.detail.endswith("check the network and the address")
    assert good.state == "fetched"
    assert names(tmp_path / "downloads") == [good.path.with_suffix(".info.json").name, good.path.name]


def test_other_schemes_are_refused(tmp_path: Path):
    for url in ("file:///etc/hostname", "local:///etc/hostname", "/etc/hostname"):
        with pytest.raises(SettingsError, match="give its path"):
            run(url, tmp_path)
    (found,) = run("nothing://host/talk.mp4", tmp_path)
    assert (found.state, "fsspec knows no protocol 'nothing'" in found.detail) == ("failed", True)


def test_a_killed_download_leaves_nothing(tmp_path: Path):
    left = tmp_path / ".fetching-dead"
    left.mkdir()
    (left / "media.mp4").write_bytes(b"half")
    (left / "lock").touch()
    downloads = Downloads(tmp_path)
    with downloads.partial() as held:
        Downloads(tmp_path)  # another process starts while this one fetches
        assert held.is_dir()
    assert names(tmp_path) == []


def test_which_subtitles_are_fetched(tmp_path: Path):
    def chosen(language: str | None = None, **video) -> dict[str, str]:
        source = WebSource(Downloads(tmp_path), FetchLimits(), language, lambda *_: None)
        return source._subtitle_choice(video)

    automatic = {name: [] for name in ("en-orig", "en", "de", "fr")}
    assert chosen(subtitles={"en": [], "de": [], "live_chat": []}, automatic_captions=automatic, language="en") == {
        "de": "written", "en": "written",
    }  # fmt: skip
    assert chosen(automatic_captions=automatic, language="en") == {"en-orig": "automatic"}
    assert chosen("de", automatic_captions=automatic) == {"en-orig": "automatic", "de": "automatic"}
    assert chosen(subtitles={"en-GB": []}, automatic_captions=automatic, language="en") == {"en-GB": "written"}


def test_the_command_line(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Extractors, "gather", lambda settings: extractors(settings))
    (site.folder / "feed.xml").write_text(FEED.format(base=site.url))
    talks = tmp_path / "talks"
    command = ["index", f"{site.url}/feed.xml", "--library", str(talks / ".playhead"), "--json"]
    done = CliRunner().invoke(app, command)
    rows = json.loads(done.stdout)
    assert [row["state"] for row in rows] == ["fetched", "failed", "failed", "fetched", "indexed", "indexed"]
    assert done.exit_code == 1
    with Library(talks) as library:
        assert sorted(record.metadata.title for record in library.videos(where="date>=2026-01-15")) == [
            "Episode/../2: roads"
        ]
        assert all(record.paths[0].startswith("downloads/") for record in library.videos())
        (known, *_) = library.fetch(f"{site.url}/feed.xml")
        assert known.state == "known"

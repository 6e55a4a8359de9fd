// Plays a video at a second: the original file where the browser can, else pieces that the server copies or re-encodes.

// Pieces of another stream than the main one are encoded.
const pieceType = (playback, stream) => {
  const codec = stream === playback.stream ? playback.codec : playback.encoded;
  return `video/mp4; codecs="${codec}${playback.sound ? ",mp4a.40.2" : ""}"`;
};
const AHEAD_SECONDS = 12;

export class Player {
  constructor(node, report) {
    this.node = node;
    this.report = report;
    this.video = null;
    this.offset = 0;
    this.pieces = null;
    this.stream = null;
    node.addEventListener("error", () => this.#fallBack());
  }

  get seconds() {
    return Math.max(0, this.node.currentTime - this.offset);
  }

  // Shows a video at a second; `play` starts it. A stream that is not the file's best one plays in pieces.
  open(video, seconds, play, stream = null) {
    if (this.video?.id !== video.id || this.stream !== stream) {
      this.video = video;
      this.stream = stream;
      this.offset = video.playback.offset;
      this.#release();
      if (video.playback.mode === "file" && stream === null) this.#file(seconds);
      else this.#inPieces(seconds);
    } else {
      this.seek(seconds);
    }
    if (play) this.#start();
  }

  toggle() {
    if (this.node.paused) this.#start();
    else this.node.pause();
  }

  #start() {
    this.node.play().catch((error) => {
      if (error.name !== "AbortError") this.report("Press play: the browser does not start sound by itself.");
    });
  }

  seek(seconds) {
    const target = Math.max(0, seconds) + this.offset;
    if (this.node.readyState === 0) this.#whenReady(target);
    else this.node.currentTime = target;
  }

  #whenReady(target) {
    this.node.addEventListener("loadedmetadata", () => { this.node.currentTime = target; }, { once: true });
  }

  #file(seconds) {
    this.node.src = `/media/${this.video.id}`;
    this.#whenReady(seconds + this.offset);
  }

  #inPieces(seconds) {
    if (!("MediaSource" in window)) {
      this.report("This browser can play neither this file nor pieces of it.");
      return;
    }
    this.offset = 0;
    this.pieces = new Pieces(this.node, this.video, this.stream, seconds, this.report);
  }

  #release() {
    this.pieces?.stop();
    this.pieces = null;
    this.node.removeAttribute("src");
  }

  #fallBack() {
    if (!this.video || this.pieces || !this.node.getAttribute("src")) return;
    const seconds = this.seconds;
    this.#release();
    this.#inPieces(seconds);
  }
}

// Appends pieces of some seconds around the playing second, with true times.
class Pieces {
  constructor(node, video, stream, seconds, report) {
    this.node = node;
    this.video = video;
    this.stream = stream;
    this.report = report;
    this.stopped = false;
    this.loading = false;
    this.ends = []; // where appended pieces end: the next one begins exactly there
    this.source = new MediaSource();
    this.url = URL.createObjectURL(this.source);
    this.handler = () => this.#load();
    node.src = this.url;
    this.source.addEventListener("sourceopen", () => {
      this.source.duration = video.duration;
      this.buffer = this.source.addSourceBuffer(pieceType(video.playback, stream));
      for (const name of ["seeking", "timeupdate", "waiting"]) node.addEventListener(name, this.handler);
      node.currentTime = seconds;
      this.#load();
    }, { once: true });
  }

  stop() {
    this.stopped = true;
    for (const name of ["seeking", "timeupdate", "waiting"]) this.node.removeEventListener(name, this.handler);
    URL.revokeObjectURL(this.url);
  }

  async #load() {
    if (this.loading || this.stopped) return;
    this.loading = true;
    try {
      for (let start = this.#next(), last = null; start !== null && start !== last && !this.stopped; start = this.#next()) {
        await this.#append(start);
        last = start;
      }
    } catch (error) {
      this.report(error.message);
    } finally {
      this.loading = false;
    }
  }

  // The start of the first piece that is missing from the playing second on; null: enough is there.
  #next() {
    const now = this.node.currentTime;
    const until = Math.min(this.video.duration, now + AHEAD_SECONDS);
    let edge = now;
    for (let found = true; found;) {
      found = false;
      for (let n = 0; n < this.node.buffered.length; n++) {
        const [start, end] = [this.node.buffered.start(n), this.node.buffered.end(n)];
        if (start <= edge + 0.25 && end > edge + 0.05) [edge, found] = [end, true];
      }
    }
    // Where frames are far apart, the buffer ends before its piece does.
    const start = this.ends.find((end) => Math.abs(end - edge) < 0.25 && this.#holds(end - 0.3)) ?? edge;
    return start >= until - 0.1 ? null : start;
  }

  #holds(seconds) {
    const { buffered } = this.node;
    return [...Array(buffered.length).keys()].some((n) => buffered.start(n) <= seconds && seconds <= buffered.end(n));
  }

  async #append(edge) {
    const length = this.video.playback.piece_seconds;
    // Pieces lie on a grid, so that the server can keep them; the first starts at the wanted second itself.
    const start = Math.round(edge * 1000) / 1000;
    const grid = (Math.floor(start / length + 1e-6) + 1) * length;
    const end = Math.min(this.video.duration, grid - start < 0.5 ? start + length : grid);
    const stream = this.stream === null ? "" : `&stream=${this.stream}`;
    const response = await fetch(`/media/${this.video.id}/piece?start=${start}&end=${end}${stream}`);
    if (!response.ok) throw new Error("This stretch cannot be decoded.");
    const data = await response.arrayBuffer();
    if (this.stopped || this.source.readyState === "closed") return;
    this.buffer.timestampOffset = Number(response.headers.get("x-piece-start"));
    this.ends.push(Number(response.headers.get("x-piece-end")));
    this.buffer.appendBuffer(data);
    await new Promise((resolve, reject) => {
      this.buffer.addEventListener("updateend", resolve, { once: true });
      this.buffer.addEventListener("error", () => reject(new Error("The browser refused a piece.")), { once: true });
    });
  }
}

// Draws a video from start to end: a lane for each kind, the evidence of the answer, and the chapters.

import { clock, el, fill } from "./dom.js";

export class Timeline {
  constructor(video, kinds, seek) {
    this.video = video;
    this.seek = seek;
    this.evidence = [];
    this.canvases = [];
    this.slider = el("input", {
      class: "seek", type: "range", min: 0, max: video.duration, step: 0.1, "aria-label": "Position in the video",
      oninput: () => seek(Number(this.slider.value)),
    });
    this.node = el("div", { class: "lanes" });
    this.kinds = kinds.filter((kind) => video.rows.some((row) => row.kind === kind.name));
  }

  draw() {
    this.canvases = [];
    const lanes = this.kinds.map((kind) => this.#lane(
      kind.participle, this.video.rows.filter((row) => row.kind === kind.name), `--${kind.name}`));
    if (this.evidence.length) lanes.push(this.#lane("evidence", this.evidence, "--evidence"));
    fill(this.node, this.slider, this.#chapters(), ...lanes);
    requestAnimationFrame(() => this.canvases.forEach((paint) => paint()));
  }

  show(seconds) {
    this.slider.value = String(seconds);
    this.slider.setAttribute("aria-valuetext", clock(seconds));
  }

  #lane(name, rows, colour) {
    const canvas = el("canvas", { "aria-hidden": "true" });
    const bar = el("div", { class: "bar", onclick: (event) => {
      const edges = bar.getBoundingClientRect();
      this.seek((event.clientX - edges.left) / edges.width * this.video.duration);
    } }, canvas);
    this.canvases.push(() => {
      const scale = window.devicePixelRatio || 1;
      canvas.width = Math.max(1, canvas.clientWidth * scale);
      canvas.height = Math.max(1, canvas.clientHeight * scale);
      const pen = canvas.getContext("2d");
      const styles = getComputedStyle(document.documentElement);
      pen.fillStyle = styles.getPropertyValue(colour) || styles.getPropertyValue("--soft");
      for (const row of rows) {
        const left = row.start / this.video.duration * canvas.width;
        pen.fillRect(left, 0, Math.max(2, (row.end - row.start) / this.video.duration * canvas.width - 1), canvas.height);
      }
    });
    return el("div", { class: "lane" }, el("span", {}, name), bar);
  }

  #chapters() {
    const bar = el("div", { class: "bar" });
    for (const chapter of this.video.chapters) {
      const button = el("button", {
        class: "chap", type: "button", title: `${clock(chapter.start)} ${chapter.title}`, tabindex: -1,
        onclick: () => this.seek(chapter.start),
      }, chapter.title);
      button.style.left = `${100 * chapter.start / this.video.duration}%`;
      button.style.width = `${100 * (chapter.end - chapter.start) / this.video.duration}%`;
      bar.append(button);
    }
    return el("div", { class: "lane chapters" }, el("span", {}, "chapters"), bar);
  }
}

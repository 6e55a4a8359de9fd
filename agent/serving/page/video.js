// The panel below the player: timeline, transcript that follows, chapters, and what was extracted.

import { clock, el, fill } from "./dom.js";
import { spans } from "./results.js";
import { Timeline } from "./timeline.js";

export class VideoPanel {
  constructor(node, kinds, player) {
    this.node = node;
    this.kinds = kinds;
    this.player = player;
    this.tab = "transcript";
    this.lines = [];
    player.node.addEventListener("timeupdate", () => this.follow());
  }

  show(video, evidence) {
    this.video = video;
    this.timeline = new Timeline(video, this.kinds, (seconds) => this.player.seek(seconds));
    this.tabs = el("div", { class: "tabs", role: "group", "aria-label": "What to show" });
    this.panel = el("div", { class: "panel", tabindex: 0, role: "region", "aria-label": "Transcript" });
    fill(this.node, this.timeline.node, this.tabs, this.panel);
    this.mark(evidence);
    this.open(video.rows.some((row) => row.kind === "speech") ? "transcript" : "everything");
  }

  mark(evidence) {
    if (!this.video) return;
    this.timeline.evidence = evidence.filter((row) => (row.video_id ?? row.video) === this.video.id);
    this.timeline.draw();
  }

  open(tab) {
    this.tab = tab;
    const names = [["transcript", "Transcript"], ["everything", "Everything"], ["chapters", "Chapters"], ["about", "About"]];
    fill(this.tabs, ...names.map(([name, title]) => el("button", {
      class: "quiet", type: "button", "aria-pressed": String(name === tab), onclick: () => this.open(name),
    }, title)));
    this.panel.setAttribute("aria-label", names.find(([name]) => name === tab)[1]);
    this.lines = [];
    if (tab === "about") fill(this.panel, ...this.#about());
    else if (tab === "chapters") this.#list(this.video.chapters.map((one) => ({ ...one, text: one.title })));
    else this.#list(this.video.rows.filter((row) => tab === "everything" || row.kind === "speech"));
    this.follow();
  }

  follow() {
    if (!this.video || this.player.video?.id !== this.video.id) return;
    const now = this.player.seconds;
    this.timeline.show(now);
    let current = null;
    for (const [row, line] of this.lines) {
      const isNow = row.start <= now + 0.05 && now < row.end;
      line.classList.toggle("now", isNow);
      if (isNow && (!current || this.tab !== "everything")) current = line;
    }
    if (current && current !== this.current) {
      const [top, bottom] = [current.offsetTop, current.offsetTop + current.offsetHeight];
      const view = this.panel;
      if (top < view.scrollTop || bottom > view.scrollTop + view.clientHeight) {
        view.scrollTop = top - view.clientHeight / 3;
      }
    }
    this.current = current;
  }

  #list(rows) {
    this.lines = rows.map((row) => [row, el("button", {
      class: "line", type: "button", onclick: () => this.player.seek(row.start),
    }, el("span", { class: "time" }, clock(row.start)),
    el("span", {}, this.tab === "everything" ? el("span", { class: `kind ${row.kind}` }, `${row.called} `) : null, row.text))]);
    fill(this.panel, ...(this.lines.length ? this.lines.map(([, line]) => line) : [el("p", { class: "small" }, "Nothing here.")]));
    this.panel.style.position = "relative";
  }

  #about() {
    const stages = this.video.stages.map((stage) => el("li", {},
      `${stage.called}: ${stage.state === "done" ? stage.detail : `not indexed, ${stage.detail || stage.state}`}`));
    const notes = this.video.notes.map((note) => el("li", {}, note));
    const part = this.video.windows.length ? `only ${spans(this.video.windows)} of ` : "";
    return [el("p", {}, `${this.video.name} · ${part}${clock(this.video.duration)} · indexed ${this.video.indexed_at.slice(0, 10)}`),
      el("ul", { class: "small" }, ...stages, ...notes)];
  }
}

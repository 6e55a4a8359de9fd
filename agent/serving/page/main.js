// The page: state, keys, and what happens when.

import * as api from "./api.js";
import { clock, el, fill, seconds as parsed } from "./dom.js";
import { Player } from "./player.js";
import { cards, cited, claims, corrected, hits, limited, step } from "./results.js";
import { VideoPanel } from "./video.js";

const at = (id) => document.getElementById(id);
const [query, status, results, filtersNode, momentNode] = ["query", "status", "results", "filters", "moment"].map(at);
const state = {
  library: null, called: new Map(), filters: { kinds: [], videos: [], where: [], start: null, end: null }, folder: "",
  search: null, asking: null, evidence: [], thread: crypto.randomUUID(), videos: new Map(),
};
const player = new Player(at("player"), (text) => { status.textContent = text; });
let panel = null;

// Opening a moment.

async function open(id, start, play, row = null) {
  try {
    const known = state.videos.get(id) ?? await api.video(id);
    state.videos.set(id, known);
    document.body.classList.add("open");
    at("right").hidden = false;
    if (panel.video !== known) panel.show(known, state.evidence);
    else panel.mark(state.evidence);
    player.open(known, start, play, row?.stream ?? known.playback.stream);
    showMoment(known, start, row);
    remember(id, start);
    for (const node of document.querySelectorAll("[data-moment]")) {
      node.setAttribute("aria-current", String(node.dataset.moment === `${id}@${start}`));
    }
  } catch (error) {
    status.textContent = error.message;
  }
}

function showMoment(video, start, row) {
  const copy = el("button", { class: "quiet", type: "button", onclick: async () => {
    remember(video.id, player.seconds);
    await navigator.clipboard.writeText(location.href);
    status.textContent = `Link to ${video.name} at ${clock(player.seconds)} copied.`;
  } }, "Copy link");
  const words = el("div", { class: "words" }, el("strong", {}, video.name),
    row ? el("div", {}, el("span", { class: "time" }, `${clock(row.start)} `), row.text) : el("div", { class: "small" }, clock(video.duration)));
  fill(momentNode, row ? shotOf(row) : null, words, copy);
}

function shotOf(row) {
  const found = [...document.querySelectorAll("[data-moment]")].find((node) => node.dataset.moment === `${row.video}@${row.start}`);
  return found?.querySelector(".shot")?.cloneNode(true) ?? null;
}

function remember(id, start) {
  history.replaceState(null, "", `#v=${id.slice(0, 12)}&t=${Math.round(start * 10) / 10}`);
}

async function follow() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const id = wanted.get("v");
  const video = id && state.library.videos.find((one) => one.id.startsWith(id));
  if (video) await open(video.id, parsed(wanted.get("t") ?? "0") ?? 0, false);
}

// Searching and asking.

async function search() {
  const words = query.value.trim();
  state.search?.abort();
  state.asking?.abort();
  if (!words) return home();
  const mine = state.search = new AbortController();
  try {
    const answer = await api.search(words, chosen(), mine.signal);
    if (mine !== state.search) return;
    const found = state.evidence = answer.results;
    status.textContent = found.length ? `${found.length} ${found.length === 1 ? "result" : "results"}` : "Nothing found. Press Enter to ask.";
    fill(results, corrected(answer), limited(answer), hits(found, answer.query, open));
    facets(found);
    panel.mark(found);
  } catch (error) {
    if (error.name !== "AbortError") status.textContent = error.message;
  }
}

async function ask() {
  const question = query.value.trim();
  if (!question) return;
  state.search?.abort();
  state.search = null;
  state.asking?.abort();
  const mine = state.asking = new AbortController();
  const steps = el("ol", { class: "steps" });
  const body = el("div", { "aria-live": "polite" });
  const details = el("details", { open: true }, el("summary", { class: "small" }, "Steps"), steps);
  fill(results, el("div", { class: "answer" }, el("h2", {}, question), body, details));
  status.textContent = "Answering …";
  try {
    await api.ask(question, chosen(), state.thread, (event) => {
      const line = step(event);
      if (line) steps.append(el("li", {}, line));
      if (event.kind === "error") throw new Error(event.error);
      if (event.kind === "draft") fill(body, ...claims(event.claims, state.called, open));
      if (event.kind === "answer") finish(event.answer, body, details);
    }, mine.signal);
  } catch (error) {
    if (error.name !== "AbortError") status.textContent = error.message;
  }
}

function finish(answer, body, details) {
  details.open = false;
  const citations = answer.claims.flatMap((claim) => claim.citations);
  const nearest = (answer.closest ?? []).map((one) => cited(one, state.called));
  state.evidence = citations.map((one) => cited(one, state.called));
  if (answer.claims.length) fill(body, corrected(answer), answer.option_text ? el("p", { class: "option" }, answer.option_text) : null, ...claims(answer.claims, state.called, open));
  else fill(body, corrected(answer), el("p", {}, answer.text), nearest.length ? el("p", { class: "small" }, "Not certain, but nearest:") : null, nearest.length ? hits(nearest, "", open) : null);
  status.textContent = `${answer.status} · ${citations.length} ${citations.length === 1 ? "citation" : "citations"} · ${answer.usage.seconds.toFixed(1)} s`;
  panel.mark(state.evidence);
}

function chosen() {
  return { ...state.filters, videos: videosChosen() };
}

function videosChosen() {
  if (state.filters.videos.length || !state.folder) return state.filters.videos;
  return state.library.videos.filter((one) => one.folder === state.folder || one.folder.startsWith(`${state.folder}/`)).map((one) => one.id);
}

// Filters, with the number of results of each kind.

function facets(found) {
  const counts = new Map();
  for (const row of found) counts.set(row.kind, (counts.get(row.kind) ?? 0) + 1);
  const indexed = new Set(state.library.videos.flatMap((one) => one.stages.filter((stage) => stage.state === "done").map((stage) => stage.kind)));
  const kinds = state.library.kinds.filter((kind) => indexed.has(kind.name) || counts.has(kind.name) || state.filters.kinds.includes(kind.name)).map((kind) => el("button", {
    class: "quiet", type: "button", "aria-pressed": String(state.filters.kinds.includes(kind.name)),
    onclick: () => { toggle(state.filters.kinds, kind.name); search(); },
  }, counts.has(kind.name) ? `${kind.participle} ${counts.get(kind.name)}` : kind.participle));
  const folders = [...new Set(state.library.videos.map((one) => one.folder).filter(Boolean))].sort();
  fill(filtersNode, ...kinds, choice("Video", "all videos", state.library.videos.map((one) => [one.id, one.name]), state.filters.videos[0] ?? "",
    (value) => { state.filters.videos = value ? [value] : []; search(); }),
  folders.length ? choice("Folder", "all folders", folders.map((one) => [one, one]), state.folder, (value) => { state.folder = value; search(); }) : null,
  conditions(), time("From", "start"), time("To", "end"));
}

function conditions() {
  const node = el("input", { type: "text", placeholder: "date>=2026-01; tag=lecture", "aria-label": "Conditions on metadata, with semicolons between",
    value: state.filters.where.join("; "), onchange: () => {
      state.filters.where = node.value.split(";").map((one) => one.trim()).filter(Boolean);
      search();
    } });
  return node;
}

function choice(label, all, options, value, change) {
  const node = el("select", { "aria-label": label, onchange: () => change(node.value) }, el("option", { value: "" }, all),
    ...options.map(([key, name]) => el("option", { value: key, selected: key === value }, name)));
  return node;
}

function time(label, name) {
  const value = state.filters[name];
  const node = el("input", { type: "text", inputmode: "numeric", placeholder: `${label.toLowerCase()} 0:00`, "aria-label": `${label} (minutes:seconds)`,
    value: value === null ? "" : clock(value), onchange: () => { state.filters[name] = parsed(node.value); search(); } });
  return node;
}

function toggle(list, value) {
  const place = list.indexOf(value);
  if (place < 0) list.push(value);
  else list.splice(place, 1);
}

// The library and indexing.

function home() {
  state.evidence = [];
  const videos = state.library.videos;
  status.textContent = videos.length ? `${state.library.name}: ${videos.length} ${videos.length === 1 ? "video" : "videos"}` : "Nothing is indexed here yet.";
  const button = el("button", { class: "quiet", type: "button", onclick: index }, videos.length ? "Index new videos" : "Index this folder");
  fill(filtersNode, button);
  fill(results, videos.length ? cards(videos, open) : null);
}

async function index() {
  try {
    await api.startIndexing();
    await watch();
  } catch (error) {
    status.textContent = error.message;
  }
}

async function watch() {
  const bar = el("progress", { max: 1, "aria-label": "Progress of indexing" });
  const text = el("span", { class: "small" });
  fill(filtersNode, text, bar);
  for (;;) {
    const now = await api.indexing();
    bar.value = now.done;
    text.textContent = now.file ? `${now.number} of ${now.count}: ${now.file}, ${now.stage} (${Math.round(100 * now.done)} %)` : "Starting …";
    if (!now.running) {
      state.library = await api.library();
      state.videos.clear();
      home();
      const failed = now.outcomes.filter((one) => one.state === "failed");
      if (now.error || failed.length) status.textContent = now.error || failed.map((one) => `${one.file}: ${one.detail}`).join(" · ");
      return;
    }
    await new Promise((resolve) => { setTimeout(resolve, 500); });
  }
}

// Keys.

function move(step) {
  const list = [...document.querySelectorAll("[data-moment]")];
  if (!list.length) return;
  const now = list.findIndex((node) => node.getAttribute("aria-current") === "true");
  const next = list[Math.min(list.length - 1, Math.max(0, now + step))];
  next.click();
  next.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.matches("input, select, textarea");
  if (event.key === "Escape" && isTyping) event.target.blur();
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  const onButton = event.target.matches("button, summary, a, video");
  const jump = { j: -10, l: 10, ArrowLeft: -5, ArrowRight: 5 }[event.key];
  if (event.key === "/") query.focus();
  else if (event.key === "n" || event.key === "p") move(event.key === "n" ? 1 : -1);
  else if (!player.video) return;
  else if (jump !== undefined) player.seek(player.seconds + jump);
  else if (event.key === "k" || (event.key === " " && !onButton)) player.toggle();
  else return;
  event.preventDefault();
});

query.addEventListener("input", search);
at("ask").addEventListener("submit", (event) => { event.preventDefault(); ask(); });
at("home").addEventListener("click", (event) => { event.preventDefault(); query.value = ""; search(); });
at("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
  panel?.timeline?.draw();
});
addEventListener("hashchange", follow);
addEventListener("resize", () => panel?.timeline?.draw());

if (localStorage.getItem("theme")) document.documentElement.dataset.theme = localStorage.getItem("theme");
try {
  state.library = await api.library();
  state.called = new Map(state.library.kinds.map((kind) => [kind.name, kind.participle]));
  panel = new VideoPanel(at("detail"), state.library.kinds, player);
  home();
  if ((await api.indexing()).running) watch();
  await follow();
} catch (error) {
  status.textContent = error.message;
}
document.body.dataset.ready = "true";

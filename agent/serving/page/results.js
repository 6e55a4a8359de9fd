// The left side: the library, what a search found, and answers with their steps.

import { clock, el, marked, shot, stretch } from "./dom.js";

const MOST_ROWS = 8;  // citations of a claim that are shown before a click

export function cards(videos, open) {
  return el("ul", { class: "grid" }, ...videos.map((video) => {
    const made = video.stages.filter((stage) => stage.state === "done").map((stage) => stage.called);
    const missing = video.stages.filter((stage) => stage.is_missing).map((stage) => stage.called);
    return el("li", {}, el("button", { class: "card", type: "button", onclick: () => open(video.id, 0, false) },
      el("div", { class: "thumb" },
        video.has_picture ? el("img", { src: `/api/thumbnails/${video.id}`, alt: "", loading: "lazy" }) : null,
        el("span", { class: "length" }, clock(video.duration))),
      el("div", { class: "words" },
        el("div", { class: "name" }, video.name),
        el("div", { class: "small" }, video.folder ? `${video.folder} · ` : "", made.join(", ") || "nothing extracted"),
        missing.length ? el("div", { class: "small" }, `not indexed: ${missing.join(", ")}`) : null,
        video.windows.length ? el("div", { class: "small" }, `only ${spans(video.windows)}`) : null,
        video.exists ? null : el("div", { class: "small" }, "the file is missing"))));
  }));
}

// Stretches of a video in words.
export function spans(list) {
  return list.map(([start, end]) => stretch(start, end)).join(", ");
}

export function hits(rows, query, open) {
  return el("ol", { class: "list" }, ...rows.map((row) => el("li", {}, hit(row, query, open))));
}

export function hit(row, query, open) {
  return el("button", { class: "hit", type: "button", data: { moment: `${row.video}@${row.start}` }, onclick: () => open(row.video, row.start, true, row) },
    shot(row),
    el("span", {},
      el("span", { class: "what" }, ...marked(row.text, query)),
      el("span", { class: "where" },
        el("span", { class: "time" }, stretch(row.start, row.end)),
        el("span", { class: `kind ${row.kind}` }, row.called), el("span", {}, row.name),
        row.is_unsure ? el("span", { class: "unsure", title: "It resembles the question and may not answer it." }, "less certain") : null)));
}

// One line for an event of a question; null: it needs none.
export function step(event) {
  switch (event.kind) {
    case "plan": return `Looking for “${event.plan.query}”`;
    case "evidence": return `Found ${event.evidence.length} pieces of evidence`;
    case "frames": return `Looking at ${event.frames.length} frames`;
    case "chapter": return `Read ${stretch(event.span.start, event.span.end)}`;
    case "draft": return event.claims.length ? `Drafted ${event.claims.length} ${event.claims.length === 1 ? "claim" : "claims"}` : "Nothing found answers the question";
    case "verdict": return confirmed(event.claim) ? null : `${event.claim.verdict}: ${event.claim.text}`;
    default: return null;
  }
}

// Whether a reader need not be warned: code, or its own words, confirmed the claim.
function confirmed(claim) {
  return claim.verdict === "supported" || claim.verdict === "verbatim";
}

// A citation of an answer, or a piece of evidence, as a row of a search.
export function cited(citation, called) {
  return {
    id: citation.evidence_id, video: citation.video_id, name: citation.video, start: citation.start, end: citation.end,
    kind: citation.modality, called: called.get(citation.modality) ?? citation.modality, text: citation.quote ?? citation.text,
    box: citation.box, stream: citation.stream ?? null, picture: Boolean(citation.keyframe),
    is_unsure: citation.relevance !== undefined,
  };
}

// The words of a query that were corrected; null: none were.
export function corrected(answer) {
  const pairs = (answer.corrections ?? []).map((one) => `“${one.written}” as “${one.read}”`);
  return pairs.length ? el("p", { class: "small" }, `Read ${pairs.join(", ")}.`) : null;
}

// What the words of a query limited its search to; null: nothing.
export function limited(answer) {
  return answer.limits ? el("p", { class: "small" }, answer.limits) : null;
}

export function claims(list, called, open) {
  return list.map((claim) => {
    const rows = slides(claim.citations.map((one) => cited(one, called))).map((row) => hit(row, "", open));
    const rest = rows.splice(MOST_ROWS);
    return el("div", { class: "claim" },
      el("p", {}, claim.text, confirmed(claim) ? null : el("span", { class: "verdict" }, claim.verdict)),
      el("div", { class: "list" }, ...rows),
      rest.length ? el("details", {}, el("summary", { class: "small" }, `and ${rest.length} more`), el("div", { class: "list" }, ...rest)) : null);
  });
}

// Rows of text of one video that appear and disappear together, as one row.
function slides(rows) {
  const found = new Map();
  for (const row of rows) {
    const key = row.kind === "text" ? [row.video, row.stream, row.start, row.end].join() : row.id + row.start;
    const first = found.get(key);
    if (!first) found.set(key, { ...row, boxes: [row.box].filter(Boolean) });
    else if (first.id !== row.id) {
      first.text += ` · ${row.text}`;
      first.boxes.push(...[row.box].filter(Boolean));
    }
  }
  return [...found.values()];
}

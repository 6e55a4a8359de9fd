// Makes elements. Text is always text: nothing here, or anywhere in the page, parses HTML.

export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(node.dataset, value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export function fill(node, ...children) {
  node.replaceChildren(...children.filter((child) => child !== null && child !== undefined && child !== false));
}

export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds + 1e-6));
  const pad = (number) => String(number).padStart(2, "0");
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours ? `${hours}:${pad(minutes)}:${pad(rest)}` : `${minutes}:${pad(rest)}`;
}

// From the second that holds the start to the end of the second that holds the end, as the terminal writes it.
export function stretch(start, end) {
  return `${clock(start)}–${clock(Math.ceil(end - 1e-6))}`;
}

export function seconds(text) {
  if (!/^\d+(:[0-5]?\d){0,2}(\.\d+)?$/.test(text.trim())) return null;
  return text.trim().split(":").reduce((total, part) => total * 60 + Number(part), 0);
}

// The words of a query inside a text, as marks.
export function marked(text, query) {
  const words = query.toLowerCase().match(/[\p{L}\p{N}]{2,}/gu) ?? [];
  if (!words.length) return [text];
  const escaped = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}])(${escaped.join("|")})(?![\\p{L}\\p{N}])`, "giu");
  const parts = [];
  let last = 0;
  for (const found of text.matchAll(pattern)) {
    parts.push(text.slice(last, found.index), el("mark", {}, found[0]));
    last = found.index + found[0].length;
  }
  return [...parts, text.slice(last)];
}

// A keyframe with the cited lines or objects boxed.
export function shot(row) {
  const frame = el("div", { class: "shot" });
  if (!row.picture) return frame;
  frame.append(el("img", { src: `/api/keyframes/${encodeURIComponent(row.id)}`, alt: "", loading: "lazy" }));
  for (const { left, top, right, bottom } of row.boxes ?? [row.box].filter(Boolean)) {
    const box = el("div", { class: "box" });
    box.style.left = `${100 * left}%`;
    box.style.top = `${100 * top}%`;
    box.style.width = `${100 * (right - left)}%`;
    box.style.height = `${100 * (bottom - top)}%`;
    frame.append(box);
  }
  return frame;
}

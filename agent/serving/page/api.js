// Talks to the server.

async function read(response) {
  if (response.ok) return response.json();
  let message = `The server answered ${response.status}.`;
  try {
    message = (await response.json()).error ?? message;
  } catch {
    // not JSON: the status says enough
  }
  throw new Error(message);
}

export const library = () => fetch("/api/library").then(read);
export const video = (id) => fetch(`/api/videos/${encodeURIComponent(id)}`).then(read);
export const startIndexing = () => fetch("/api/index", { method: "POST" }).then(read);
export const indexing = () => fetch("/api/index").then(read);

export function search(query, filters, signal) {
  const asked = new URLSearchParams({ q: query, k: "30" });
  for (const kind of filters.kinds) asked.append("kind", kind);
  for (const id of filters.videos) asked.append("video", id);
  for (const condition of filters.where) asked.append("where", condition);
  if (filters.start !== null) asked.set("start", String(filters.start));
  if (filters.end !== null) asked.set("end", String(filters.end));
  return fetch(`/api/search?${asked}`, { signal }).then(read);
}

// Calls `step` with each event of a question, as it happens.
export async function ask(question, filters, thread, step, signal) {
  const response = await fetch("/api/ask", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ question, videos: filters.videos, where: filters.where, thread }),
    signal,
  });
  if (!response.ok) return read(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return null;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line) step(JSON.parse(line));
  }
}

// Asks the server, and returns its answer or raises its refusal.

/** Address that the server's own addresses begin with, below any base path. */
export const BASE = new URL("../../", import.meta.url);

/** Refusal of the server: HTTP status (0: it could not be reached), stable code, message, a hint or null, and the whole
 * `answer`. */
export class Refusal extends Error {
  constructor(status, answer = {}) {
    super(answer.message || `the server answers with ${status}`);
    Object.assign(this, { status, code: answer.code ?? "", hint: answer.hint ?? null, answer });
  }
}

/** Return the absolute address of a path of the server, as `api/1/jobs`. */
export function address(path) {
  return new URL(path, BASE).href;
}

/** Send a request, with `body` as JSON if there is one. Returns the response. Raises `Refusal`. */
export async function send(method, path, body, options = {}) {
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  let response;
  try {
    response = await fetch(address(path), {
      method, headers: { ...headers, ...options.headers }, signal: options.signal,
      body: options.raw ?? (body === undefined ? undefined : JSON.stringify(body)),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, { code: "page.unreachable", message: "The server does not answer. Is it still running?" });
  }
  if (response.ok) return response;
  if (response.status === 401 && !options.stay) logIn();
  const answer = await response.json().catch(() => ({}));
  throw new Refusal(response.status, answer);
}

/** Send a request and return the JSON of its answer, null if it has none. Raises `Refusal`. */
export async function ask(method, path, body, options) {
  const response = await send(method, path, body, options);
  return response.status === 204 ? null : response.json();
}

/** Go to the page that asks for the token, and come back from there. */
function logIn() {
  const here = location.href.slice(BASE.href.length - 1);
  location.assign(address(`login?next=${encodeURIComponent(here)}`));
}

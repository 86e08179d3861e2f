// Uploads a file in pieces (tus 1.0), and goes on where it was cut off: after a lost connection, a restart of the server,
// or a reload of the page, once the same file is chosen again.

import { address, Refusal, send } from "../common/server.js";

const PIECE = 8 << 20;
const TUS = { "tus-resumable": "1.0.0" };
const WAITS_MS = [500, 1000, 2000, 5000];
const FINAL = new Set([400, 401, 403, 404, 410, 411, 412, 413, 415, 421, 422]);

/** Return what a file is known by in another visit of the page. */
function remembered(file) {
  return `reel-upload ${address("")} ${file.name}|${file.size}|${file.lastModified}`;
}

function inBase64(text) {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

/** One upload. `state` is sending, waiting (for the server), sent, failed or stopped; `changed` is called after each step. */
export class FileUpload {
  constructor(file, changed) {
    Object.assign(this, { file, changed, state: "sending", offset: 0, id: null, error: null });
    this.abort = new AbortController();
  }

  /** Send the file. Resolves when all of it is there, or it was given up. */
  async run() {
    for (let tries = 0; this.state !== "stopped"; tries += 1) {
      try {
        await this.begin();
        while (this.offset < this.file.size) {
          await this.sendPiece();
          tries = 0;
        }
        localStorage.removeItem(remembered(this.file));
        return this.become("sent");
      } catch (error) {
        if (error.name === "AbortError") return undefined;
        if (!(error instanceof Refusal)) {
          // The browser cannot read the file: it was moved or changed since it was chosen.
          return this.fail(new Refusal(0, { message: "The file cannot be read any more. Choose it again." }));
        }
        if (FINAL.has(error.status)) return this.fail(error);
        this.become("waiting", error);
        await new Promise((go) => setTimeout(go, WAITS_MS[Math.min(tries, WAITS_MS.length - 1)]));
      }
    }
    return undefined;
  }

  /** Stop, and let the server forget what has come. */
  stop() {
    this.state = "stopped";
    this.abort.abort();
    localStorage.removeItem(remembered(this.file));
    if (this.id) this.request("DELETE", `api/1/uploads/${this.id}`).catch(() => {});
  }

  /** Find the place at which the upload goes on, or begin one. */
  async begin() {
    this.id ??= localStorage.getItem(remembered(this.file));
    if (this.id) {
      try {
        const reply = await this.request("HEAD", `api/1/uploads/${this.id}`);
        this.offset = Number(reply.headers.get("upload-offset"));
        return this.become("sending");
      } catch (error) {
        if (error.status !== 404) throw error; // forgotten meanwhile
      }
    }
    const headers = { "upload-length": this.file.size, "upload-metadata": `filename ${inBase64(this.file.name)}` };
    const reply = await this.request("POST", "api/1/uploads", { headers });
    this.id = reply.headers.get("location").split("/").pop();
    this.offset = 0;
    localStorage.setItem(remembered(this.file), this.id);
    return this.become("sending");
  }

  async sendPiece() {
    const raw = await this.file.slice(this.offset, this.offset + PIECE).arrayBuffer();
    const headers = { "upload-offset": this.offset, "content-type": "application/offset+octet-stream" };
    const reply = await this.request("PATCH", `api/1/uploads/${this.id}`, { headers, raw });
    this.offset = Number(reply.headers.get("upload-offset"));
    this.become("sending");
  }

  request(method, path, { headers = {}, raw } = {}) {
    const signal = method === "DELETE" ? undefined : this.abort.signal;
    return send(method, path, undefined, { headers: { ...TUS, ...headers }, raw, signal });
  }

  become(state, error = null) {
    Object.assign(this, { state, error });
    this.changed();
  }

  fail(error) {
    localStorage.removeItem(remembered(this.file));
    this.become("failed", error);
  }
}

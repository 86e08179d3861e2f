/** Speaks with the server about one media file: its document, its operations, and the corrected run. */

import { Refusal, address, ask, send } from "../../common/server.js";

/** The interface of one media file. */
export class ReviewApi {
  #root;

  constructor(id) {
    this.#root = `api/1/media/${encodeURIComponent(id)}`;
  }

  /** Return the address of a link in the document. */
  href(link) {
    return address(`${this.#root}/${link}`);
  }

  /** Return the document. */
  document() {
    return ask("GET", this.#root);
  }

  /** Save operations made for a revision; returns `{rev, etag, saved_ms, undo, redo}`. */
  save(etag, batch, ops) {
    return this.#write("ops", etag, { batch, ops });
  }

  /** Take the newest revision back, or do again what was taken back. */
  undo(etag, batch) {
    return this.#write("undo", etag, { batch });
  }

  redo(etag, batch) {
    return this.#write("redo", etag, { batch });
  }

  /** Return what was saved after a revision. */
  since(revision) {
    return ask("GET", `${this.#root}/ops?since=${revision}`);
  }

  /** Start the run that takes the corrections in. `onDisk` decides between them and a file that was edited. */
  apply(etag, onDisk = null) {
    return this.#write("apply", etag, onDisk ? { on_disk: onDisk } : {});
  }

  /** Return what an applied draft changed. */
  changes() {
    return ask("GET", `${this.#root}/changes`);
  }

  /** Have a copy of the picture made; returns `{job}`. */
  makeCopy() {
    return ask("POST", `${this.#root}/proxy`);
  }

  /** Return a job of the queue. */
  job(id) {
    return ask("GET", `api/1/jobs/${id}`);
  }

  /** Return how far a job is. */
  work(id) {
    return ask("GET", `api/1/jobs/${id}/work`);
  }

  /** Cancel a job. */
  cancel(id) {
    return ask("DELETE", `api/1/jobs/${id}`);
  }

  /** Show how a term would stand in the glossary, or write it there. */
  glossary(term, isConfirmed) {
    return ask("POST", `${this.#root}/glossary`, { term, confirm: isConfirmed });
  }

  /** Return the peaks of the sound, as the bytes of audiowaveform's format. */
  async peaks(url) {
    const response = await fetch(url);
    if (!response.ok) throw new Refusal(response.status);
    return response.arrayBuffer();
  }

  async #write(path, etag, body) {
    const response = await send("POST", `${this.#root}/${path}`, body, { headers: { "if-match": etag } });
    return response.json();
  }
}

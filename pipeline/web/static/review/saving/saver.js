/**
 * Saves operations: first into the outbox of the browser, then on the server, which has them on its disk before it
 * answers. What others saved in the meantime is merged in; what cannot be merged is told as a conflict.
 *
 * `open` is the number of revisions that are not applied yet, `savedMs` when the newest was saved.
 *
 * Events: `state` (`{state}`: `saved`, `saving`, `offline`, `applying` or `failed`),
 * `conflicts` (`{conflicts}`), `reload` when the document must be loaded again.
 */

import { randomDigits } from "../rules/draft.js";
import { rebase } from "../rules/rebase.js";

const RETRY_MS = 3000;

/** Saves what a session changes. */
export class Saver extends EventTarget {
  #api;
  #outbox;
  #session;
  #saved; // the draft as the server has it
  #etag;
  #revision;
  #waiting = [];
  #last = Promise.resolve(); // of the requests that change the draft: each goes with the answer of the one before
  #retry = 0;
  #channel;

  constructor(api, outbox, session, { etag, rev, saved_ms: savedMs, open }) {
    super();
    this.#api = api;
    this.#outbox = outbox;
    this.#session = session;
    this.#saved = session.draft.copy();
    this.#etag = etag;
    this.#revision = rev;
    Object.assign(this, { savedMs, open, state: "saved" });
    session.save = (operations) => this.#add(operations);
    globalThis.addEventListener("online", () => this.send());
    this.#channel = new BroadcastChannel(`reel-review-${session.facts.id}`);
    this.#channel.addEventListener("message", () => this.follow());
  }

  /** Return the entity tag of the newest revision that the server has acknowledged. */
  get etag() {
    return this.#etag;
  }

  /** Return how many batches the server has not acknowledged. */
  get waiting() {
    return this.#waiting.length;
  }

  /** Take up what an earlier page left in the outbox. */
  async takeUp() {
    const left = await this.#outbox.batches();
    if (!left.length) return;
    this.#waiting = left;
    await this.#rebase(left.flatMap((one) => one.ops));
    await this.send();
  }

  async #add(operations) {
    const entry = { batch: `b-${randomDigits(8)}`, ops: operations };
    this.#waiting.push(entry);
    this.#tell("saving");
    entry.kept = this.#outbox.add(entry.batch, operations).then((number) => (entry.number = number));
    await this.send();
  }

  /** Send what waits, batch by batch. Returns when nothing waits or the server cannot be reached. */
  send() {
    return this.#inTurn(() => this.#sendAll());
  }

  #inTurn(task) {
    const turn = this.#last.then(task);
    this.#last = turn.catch(() => {});
    return turn;
  }

  async #sendAll() {
    clearTimeout(this.#retry);
    try {
      while (this.#waiting.length) await this.#sendFirst(this.#waiting[0]);
      this.#tell("saved");
    } catch (error) {
      this.#onFailure(error);
    }
  }

  async #sendFirst(entry) {
    await entry.kept;
    if (entry.ops.length) {
      try {
        this.#take(await this.#api.save(this.#etag, entry.batch, entry.ops));
      } catch (error) {
        if (error.status !== 412) throw error;
        return this.#onStale(error.answer);
      }
      this.#saved.apply(entry.ops);
    }
    this.#waiting.shift();
    await this.#outbox.remove(entry.number);
    this.#channel.postMessage("saved");
  }

  /** Take in what others saved, and fit to it what waits. */
  async #onStale({ missed, etag, rev }) {
    if (!missed) throw Object.assign(new Error("the files were made again"), { code: "review.base" });
    // A batch among them whose answer was lost is ours.
    const arrived = new Set(missed.map((one) => one.batch));
    for (const entry of this.#waiting.filter((one) => arrived.has(one.batch))) await this.#outbox.remove(entry.number);
    this.#waiting = this.#waiting.filter((one) => !arrived.has(one.batch));
    this.#takeRevisions(missed, etag, rev);
    await this.#rebase(missed.flatMap((one) => one.operations));
  }

  #takeRevisions(revisions, etag, rev) {
    for (const { operations } of revisions) this.#saved.apply(operations);
    this.#etag = etag;
    this.#revision = rev;
  }

  async #rebase(changed) {
    const draft = this.#saved.copy(this.#session.draft.track);
    const { batches, conflicts } = rebase(draft, this.#waiting);
    this.#waiting = batches;
    for (const entry of batches) {
      await entry.kept;
      await this.#outbox.put({ number: entry.number, batch: entry.batch, ops: entry.ops });
    }
    this.#session.replaceDraft(draft, changed);
    if (conflicts.length) this.dispatchEvent(new CustomEvent("conflicts", { detail: { conflicts } }));
  }

  /** Take the newest change back; returns the ids that it touched, or null where there is nothing. */
  undo() {
    return this.#inTurn(() => this.#turnBack("undo"));
  }

  /** Do again what was taken back. */
  redo() {
    return this.#inTurn(() => this.#turnBack("redo"));
  }

  async #turnBack(name) {
    await this.#sendAll();
    if (this.#waiting.length || this.#session.isReadOnly) return null;
    try {
      const answer = await this.#api[name](this.#etag, `${name[0]}-${randomDigits(8)}`);
      this.#take(answer);
      this.#saved.apply(answer.operations);
      this.#session.replaceDraft(this.#saved.copy(this.#session.draft.track), answer.operations);
      this.#tell("saved");
      this.#channel.postMessage("saved");
      return answer.operations.map((one) => one.id);
    } catch (error) {
      if (error.status === 412) {
        await this.#onStale(error.answer);
        return this.#turnBack(name);
      }
      if (error.code !== "review.nothing") this.#onFailure(error);
      return null;
    }
  }

  /** Take in what another tab saved, if this one does not write. */
  follow() {
    return this.#inTurn(() => this.#follow());
  }

  async #follow() {
    if (!this.#session.isReadOnly) return;
    const { revisions, etag, rev } = await this.#api.since(this.#revision);
    this.#takeRevisions(revisions, etag, rev);
    await this.#rebase(revisions.flatMap((one) => one.operations));
  }

  #take({ etag, rev, saved_ms: savedMs, open }) {
    this.#etag = etag;
    this.#revision = rev;
    Object.assign(this, { savedMs, open });
  }

  #onFailure(error) {
    if (error.code === "review.base" || error.code === "review.conflict") {
      this.dispatchEvent(new Event("reload"));
      return;
    }
    const isTemporary = error.status === 0 || error.status >= 500 || error.code === "review.applying";
    this.failure = error;
    this.#tell(error.code === "review.applying" ? "applying" : isTemporary ? "offline" : "failed");
    if (isTemporary) this.#retry = setTimeout(() => this.send(), RETRY_MS);
  }

  #tell(state) {
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: { state } }));
  }
}

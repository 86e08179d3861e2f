/**
 * Keeps in the browser what the server has not acknowledged: batches of operations, and the text that is being typed.
 * It survives a closed page and a broken line.
 */

const BATCHES = "batches";
const TYPED = "typed";

/** The outbox of one media file. */
export class Outbox {
  #database;
  #media;

  constructor(database, media) {
    this.#database = database;
    this.#media = media;
  }

  /** Open the outbox. */
  static async open(media) {
    const opening = indexedDB.open("reel-review", 1);
    opening.addEventListener("upgradeneeded", () => {
      opening.result.createObjectStore(BATCHES, { keyPath: "number", autoIncrement: true });
      opening.result.createObjectStore(TYPED, { keyPath: "media" });
    });
    return new Outbox(await done(opening), media);
  }

  /** Return the batches that were not acknowledged, oldest first: `{number, batch, ops}`. */
  async batches() {
    const all = await this.#on(BATCHES, "readonly", (store) => store.getAll());
    return all.filter((one) => one.media === this.#media);
  }

  /** Keep a batch; returns its number. */
  add(batch, ops) {
    return this.#on(BATCHES, "readwrite", (store) => store.add({ media: this.#media, batch, ops }));
  }

  /** Keep other operations for a batch. */
  put(entry) {
    return this.#on(BATCHES, "readwrite", (store) => store.put({ ...entry, media: this.#media }));
  }

  /** Forget a batch. */
  remove(number) {
    return this.#on(BATCHES, "readwrite", (store) => store.delete(number));
  }

  /** Keep the text that is being typed into a cue, whose content was `before`. */
  type(id, before, text) {
    return this.#on(TYPED, "readwrite", (store) => store.put({ media: this.#media, id, before, text }));
  }

  /** Return the text that was being typed: `{id, before, text}`, or null. */
  async typed() {
    return (await this.#on(TYPED, "readonly", (store) => store.get(this.#media))) ?? null;
  }

  /** Forget the typed text: it is an operation now. */
  forgetTyped() {
    return this.#on(TYPED, "readwrite", (store) => store.delete(this.#media));
  }

  #on(store, mode, use) {
    return done(use(this.#database.transaction(store, mode).objectStore(store)));
  }
}

function done(request) {
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
  });
}

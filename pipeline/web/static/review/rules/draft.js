/**
 * Keeps a draft in the page: its items by id, and the operations that change them. Pure: it knows neither the network
 * nor the elements of the page.
 *
 * An item is a cue (`<track>/<id>`), the name of a speaker (`speaker/<label>`) or a doubt that a person settled
 * (`doubt/<id>`). An operation is `{id, before, after}`: the whole item before and after, or null where it does not
 * exist. It tells by itself whether it fits a draft, and its inverse is the same the other way round. The server keeps
 * the same operations, see `pipeline/web/review/operations.py`.
 */

/** Error: an operation was made for another content of its item. */
export class OperationConflict extends Error {
  constructor(operation) {
    super(`the item ${operation.id} is not what the operation was made for`);
    this.operation = operation;
  }
}

/** Return a value as text that is the same for equal contents: keys in order, without null and empty members. */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value ?? null);
  const kept = Object.keys(value).filter((key) => !isDefault(value[key]));
  return `{${kept.sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
}

function isDefault(value) {
  return value === null || value === undefined || value === false || (Array.isArray(value) && !value.length);
}

/** Tell whether two items, or two absent items, are equal. */
export function isSame(one, other) {
  if (one === other) return true;
  return Boolean(one) && Boolean(other) && canonical(one) === canonical(other);
}

/** Return the operations that take these back. */
export function inverse(operations) {
  return operations.map(({ id, before, after }) => ({ id, before: after, after: before })).reverse();
}

/** Return an id for a new cue of a track. Ids stay through splits and merges, so they are never numbers of rows. */
export function newId(track) {
  return `${track}/${randomDigits(6)}`;
}

/** Return so many random bytes as digits. Browsers give `crypto.randomUUID` to secure contexts only. */
export function randomDigits(bytes) {
  return [...crypto.getRandomValues(new Uint8Array(bytes))].map((one) => one.toString(16).padStart(2, "0")).join("");
}

/** All items, and the cues of one track in order of time. */
export class Draft {
  #items;
  #track;
  #order = null;
  #places = null;

  /** @param {Iterable<[string, object]>} items the items by id @param {string} track the track whose cues are in order */
  constructor(items, track) {
    this.#items = new Map(items);
    this.#track = track;
  }

  /** Return the id of the track whose cues are in order. */
  get track() {
    return this.#track;
  }

  /** Return the number of cues. */
  get size() {
    return this.order.length;
  }

  /** Return the ids in order of time. */
  get order() {
    this.#order ??= this.idsOf(this.#track);
    return this.#order;
  }

  /** Return the ids of a track's cues in order of time. */
  idsOf(track) {
    const ids = [...this.#items.keys()].filter((id) => id.startsWith(`${track}/`));
    return ids.sort((one, other) => this.#compare(one, other));
  }

  /** Return the item `id`, or null. */
  item(id) {
    return this.#items.get(id) ?? null;
  }

  /** Return the cue `id`, of any track, or null. */
  cue(id) {
    const item = this.#items.get(id);
    return item?.lines ? item : null;
  }

  /** Return the place of the cue `id` in the order, from 0; -1 if it does not exist. */
  place(id) {
    this.#places ??= new Map(this.order.map((one, place) => [one, place]));
    return this.#places.get(id) ?? -1;
  }

  /** Return the id at a place in the order, or null. */
  at(place) {
    return this.order[place] ?? null;
  }

  /** Return the id of the cue that is shown at a time, else of the last one before it, else of the first. */
  idAt(timeMs) {
    return this.at(Math.max(0, this.firstAfter(timeMs) - 1));
  }

  /** Return the place of the first cue that begins after a time. */
  firstAfter(timeMs) {
    let low = 0;
    let high = this.order.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#items.get(this.order[middle]).start_ms > timeMs) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Apply operations: all of them, or none. Throws `OperationConflict`. */
  apply(operations) {
    const changed = new Map();
    const now = (id) => (changed.has(id) ? changed.get(id) : this.item(id));
    for (const operation of operations) {
      if (!isSame(now(operation.id), operation.before)) throw new OperationConflict(operation);
      changed.set(operation.id, operation.after);
    }
    let isReordered = false;
    for (const [id, after] of changed) {
      const before = this.item(id);
      isReordered ||= before?.start_ms !== after?.start_ms || before?.end_ms !== after?.end_ms;
      if (after) this.#items.set(id, after);
      else this.#items.delete(id);
    }
    if (isReordered) this.#order = this.#places = null;
  }

  /** Return a copy that changes independently, with the cues of another track in order where one is given. */
  copy(track = this.#track) {
    return new Draft(this.#items, track);
  }

  /** Yield `[id, cue]` in order of time. */
  *[Symbol.iterator]() {
    for (const id of this.order) yield [id, this.#items.get(id)];
  }

  /** Yield `[id, item]` of those whose ids begin so, in no order. */
  *startingWith(prefix) {
    for (const [id, item] of this.#items) if (id.startsWith(prefix)) yield [id, item];
  }

  #compare(one, other) {
    const [first, second] = [this.#items.get(one), this.#items.get(other)];
    return first.start_ms - second.start_ms || first.end_ms - second.end_ms || (one < other ? -1 : 1);
  }
}

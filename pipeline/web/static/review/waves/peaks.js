/**
 * Holds the peaks of a sound in several resolutions, so that a picture of any stretch takes the same time. Pure.
 *
 * The finest level is the server's: the lowest and the highest sample of each part as signed bytes, one after the
 * other. Each further level joins eight parts to one.
 */

const JOINED = 8;
const COARSEST = 2000; // parts; fewer than a screen has columns are of no use

/** Peaks at several resolutions. */
export class Peaks {
  #levels;

  /** @param {Int8Array} pairs low and high by turns; @param {number} perSecond how many parts a second has */
  constructor(pairs, perSecond) {
    this.perSecond = perSecond;
    this.#levels = [pairs];
    while (this.#levels.at(-1).length > 2 * COARSEST) this.#levels.push(joined(this.#levels.at(-1)));
  }

  /** Return the length of the sound in milliseconds. */
  get durationMs() {
    return (this.#levels[0].length / 2 / this.perSecond) * 1000;
  }

  /**
   * Write the peaks of `columns` equal parts of a stretch into `target` (low and high by turns) and return it. Columns
   * outside of the sound are 0.
   */
  fill(target, fromMs, msPerColumn, columns) {
    let level = 0;
    let perColumn = (msPerColumn / 1000) * this.perSecond;
    while (level + 1 < this.#levels.length && perColumn >= JOINED) {
      level += 1;
      perColumn /= JOINED;
    }
    const pairs = this.#levels[level];
    const first = (fromMs / msPerColumn) * perColumn;
    for (let column = 0; column < columns; column += 1) {
      const start = Math.floor(first + column * perColumn);
      extremes(target, 2 * column, pairs, start, Math.max(start + 1, Math.floor(first + (column + 1) * perColumn)));
    }
    return target;
  }
}

function extremes(target, place, pairs, start, end) {
  let [low, high] = [0, 0];
  for (let part = Math.max(0, start); part < Math.min(end, pairs.length / 2); part += 1) {
    if (pairs[2 * part] < low) low = pairs[2 * part];
    if (pairs[2 * part + 1] > high) high = pairs[2 * part + 1];
  }
  target[place] = low;
  target[place + 1] = high;
}

function joined(pairs) {
  const columns = Math.ceil(pairs.length / 2 / JOINED);
  const target = new Int8Array(2 * columns);
  for (let column = 0; column < columns; column += 1) {
    extremes(target, 2 * column, pairs, column * JOINED, (column + 1) * JOINED);
  }
  return target;
}

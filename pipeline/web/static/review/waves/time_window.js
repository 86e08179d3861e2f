/** Holds which stretch of time the waveform shows, and turns times into columns and back. Pure. */

const NARROWEST_MS = 1000;

/** The stretch of time that is shown in a width. Times are in milliseconds, columns in CSS pixels. */
export class TimeWindow {
  /** @param {number} durationMs the length of the sound */
  constructor(durationMs) {
    this.durationMs = Math.max(durationMs, NARROWEST_MS);
    this.width = 1;
    this.startMs = 0;
    this.msPerPixel = 10;
  }

  /** Return the length of the stretch. */
  get lengthMs() {
    return this.width * this.msPerPixel;
  }

  /** Return where the stretch ends. */
  get endMs() {
    return this.startMs + this.lengthMs;
  }

  /** Return the column of a time. */
  x(timeMs) {
    return (timeMs - this.startMs) / this.msPerPixel;
  }

  /** Return the time of a column. */
  time(x) {
    return this.startMs + x * this.msPerPixel;
  }

  /** Take another width; what is shown keeps its start and its scale. */
  resize(width) {
    this.width = Math.max(width, 1);
    this.#clamp();
  }

  /** Move the stretch. */
  moveTo(startMs) {
    this.startMs = startMs;
    this.#clamp();
  }

  /** Show a factor more or less around a column, which keeps its time. */
  zoom(factor, x = this.width / 2) {
    const fixed = this.time(x);
    this.msPerPixel *= factor;
    this.#clamp();
    this.startMs = fixed - x * this.msPerPixel;
    this.#clamp();
  }

  /** Move only as far as needed so that a stretch is seen, with a quarter of the width before it. */
  reveal(startMs, endMs) {
    if (startMs >= this.startMs && endMs <= this.endMs) return false;
    this.moveTo(startMs - this.lengthMs / 4);
    return true;
  }

  #clamp() {
    const widest = this.durationMs / this.width;
    this.msPerPixel = Math.min(Math.max(this.msPerPixel, NARROWEST_MS / this.width), widest);
    this.startMs = Math.min(Math.max(this.startMs, 0), Math.max(0, this.durationMs - this.lengthMs));
  }
}

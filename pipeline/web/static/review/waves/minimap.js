/** Shows the whole sound as a strip, with the stretch that the waveform shows; a press on it goes there. */

/** The strip. Emits `seek` (`{timeMs}`). */
export class Minimap extends EventTarget {
  #canvas;
  #picture = null;
  #durationMs = 1;

  constructor(canvas) {
    super();
    this.#canvas = canvas;
    const jump = (event) => {
      if (!event.buttons) return;
      const timeMs = (event.offsetX / canvas.clientWidth) * this.#durationMs;
      this.dispatchEvent(new CustomEvent("seek", { detail: { timeMs } }));
    };
    canvas.addEventListener("pointerdown", jump);
    canvas.addEventListener("pointermove", jump);
  }

  /** Paint the sound again next time: its size, its colours or its peaks are others. */
  forget() {
    this.#picture = null;
  }

  /** Paint the strip for a waveform: its `window`, `peaks`, `palette` and `playheadMs`. */
  paint({ window, peaks, palette, playheadMs }) {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (!width) return;
    this.#durationMs = window.durationMs;
    const scale = globalThis.devicePixelRatio || 1;
    this.#picture ??= this.#wholeSound(peaks, palette, width * scale, height * scale);
    const context = this.#canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    context.drawImage(this.#picture, 0, 0, width, height);
    const x = (timeMs) => (timeMs / window.durationMs) * width;
    context.strokeStyle = palette.accent;
    context.lineWidth = 2;
    context.strokeRect(x(window.startMs) + 1, 1, Math.max(x(window.endMs) - x(window.startMs) - 2, 3), height - 2);
    context.fillStyle = palette.bad;
    context.fillRect(x(playheadMs), 0, 1, height);
  }

  /** Return a picture of the whole sound; it is painted once for a size and a colour scheme. */
  #wholeSound(peaks, palette, width, height) {
    this.#canvas.width = Math.round(width);
    this.#canvas.height = Math.round(height);
    const picture = new OffscreenCanvas(this.#canvas.width, this.#canvas.height);
    if (!peaks) return picture;
    const columns = picture.width;
    const found = peaks.fill(new Int8Array(2 * columns), 0, this.#durationMs / columns, columns);
    const context = picture.getContext("2d");
    context.fillStyle = palette.wave;
    const middle = picture.height / 2;
    for (let column = 0; column < columns; column += 1) {
      const [low, high] = [(found[2 * column] / 127) * middle, (found[2 * column + 1] / 127) * middle];
      context.fillRect(column, middle - high, 1, Math.max(1, high - low));
    }
    return picture;
  }
}

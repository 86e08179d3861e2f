/**
 * Paints a stretch of the sound: its wave, cues, words, shots, speakers, removed texts and the playhead. It reads a
 * scene and writes a canvas; it keeps nothing but its buffer.
 */

import { DOUBTFUL, tokens } from "../rules/words.js";

const WORDS_BELOW_MS = 14; // a pixel: at more, words would lie on each other
const LABELS_BELOW_MS = 60;
const LANE = 7; // height of a speaker's lane
const FOOT = 50; // height of the words' and the lanes' area
const ROWS = [17, 32]; // base lines of words: one that does not fit beside the last goes below it
const FONT = '11px system-ui, "Noto Sans", sans-serif';

/** Return the colours of the page's design for the canvas, which knows no variables of style sheets. */
export function paletteOf(node) {
  const probe = document.createElement("span");
  probe.style.setProperty("transition", "none", "important"); // else the colour read is that before the change
  node.append(probe);
  const read = (name) => {
    probe.style.setProperty("color", `var(--${name})`);
    return getComputedStyle(probe).color;
  };
  const names = ["ink", "ink-faint", "accent", "warning", "bad", "line", "line-strong", "accent-soft", "sunken"];
  const own = ["wave", "wave-cue", "wave-selected", "wave-shot", ...SPEAKERS];
  const palette = Object.fromEntries([...names, ...own].map((name) => [name, read(name)]));
  probe.remove();
  return { ...palette, speakers: SPEAKERS.map((name) => palette[name]) };
}

const SPEAKERS = [1, 2, 3, 4, 5, 6].map((number) => `speaker-${number}`);

/** Paints scenes onto one canvas. */
export class WavePainter {
  #canvas;
  #context;
  #columns = new Int8Array(0);

  constructor(canvas) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
  }

  /** Take the size that the page gives the canvas, in the screen's own pixels. Returns the width in CSS pixels. */
  resize() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    this.scale = globalThis.devicePixelRatio || 1;
    this.#canvas.width = Math.round(width * this.scale);
    this.#canvas.height = Math.round(height * this.scale);
    this.width = width;
    this.height = height;
    return width;
  }

  /** Paint a scene: see `WaveCanvas.scene` for its members. */
  paint(scene) {
    const context = this.#context;
    context.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    context.font = FONT;
    this.#removed(scene);
    this.#cueBodies(scene);
    this.#wave(scene);
    this.#shots(scene);
    this.#lanes(scene);
    this.#cueTexts(scene);
    this.#line(scene.window.x(scene.playheadMs), scene.palette.bad, 2, this.height);
  }

  get #waveHeight() {
    return this.height - FOOT;
  }

  #wave({ peaks, window, palette }) {
    if (!peaks) return;
    const columns = Math.ceil(this.width);
    if (this.#columns.length !== 2 * columns) this.#columns = new Int8Array(2 * columns);
    const found = peaks.fill(this.#columns, window.startMs, window.msPerPixel, columns);
    const middle = this.#waveHeight / 2;
    this.#context.fillStyle = palette.wave;
    for (let x = 0; x < columns; x += 1) {
      const top = middle - (found[2 * x + 1] / 127) * middle;
      const height = Math.max(1, ((found[2 * x + 1] - found[2 * x]) / 127) * middle);
      this.#context.fillRect(x, top, 1, height);
    }
  }

  #cueBodies(scene) {
    const context = this.#context;
    for (const { id, cue, isBroken } of scene.cues) {
      const [x, width] = this.#span(scene.window, cue);
      context.fillStyle = id === scene.selected ? scene.palette["wave-selected"] : scene.palette["wave-cue"];
      context.fillRect(x, 0, width, this.#waveHeight);
      this.#line(x, scene.palette.accent, id === scene.selected ? 2 : 1, this.#waveHeight);
      this.#line(x + width, scene.palette.accent, id === scene.selected ? 2 : 1, this.#waveHeight);
      if (isBroken) {
        context.fillStyle = scene.palette.warning;
        context.fillRect(x, 0, width, 2);
      }
    }
  }

  #cueTexts(scene) {
    if (scene.window.msPerPixel > LABELS_BELOW_MS) return;
    for (const { cue } of scene.cues) {
      const [x, width] = this.#span(scene.window, cue);
      if (width < 24) continue;
      if (scene.window.msPerPixel <= WORDS_BELOW_MS) this.#words(scene, cue);
      else this.#text(cue.lines.join(" "), x + 3, width - 6, scene.palette.ink);
    }
  }

  #words({ window, words, palette }, cue) {
    const context = this.#context;
    const ends = ROWS.map(() => -Infinity);
    for (const token of tokens(cue, words)) {
      const x = window.x(token.startMs);
      const isDoubted = token.probability !== null && token.probability < DOUBTFUL;
      context.fillStyle = isDoubted ? palette.bad : palette["line-strong"];
      context.fillRect(x, this.#waveHeight + 3, Math.max(1, window.x(token.endMs) - x - 1), isDoubted ? 2 : 1);
      const row = ends.findIndex((end) => end <= x);
      if (row < 0) continue;
      ends[row] = x + context.measureText(`${token.text} `).width;
      context.fillStyle = isDoubted ? palette.bad : palette.ink;
      context.fillText(token.text, x, this.#waveHeight + ROWS[row]);
    }
  }

  #text(text, x, width, colour) {
    const context = this.#context;
    context.save();
    context.beginPath();
    context.rect(x, this.#waveHeight, width, FOOT - LANE - 3);
    context.clip();
    context.fillStyle = colour;
    context.fillText(text, x, this.#waveHeight + ROWS[0]);
    context.restore();
  }

  #lanes({ turns, window, palette, speakers }) {
    for (const turn of turns) {
      const [x, width] = this.#span(window, turn);
      const place = Math.max(0, speakers.findIndex((speaker) => speaker.labels.includes(turn.speaker)));
      this.#context.fillStyle = palette.speakers[place % palette.speakers.length];
      this.#context.fillRect(x, this.height - LANE, Math.max(1, width - 1), LANE - 2);
    }
  }

  #removed({ removed, window, palette }) {
    for (const one of removed) {
      const [x, width] = this.#span(window, one);
      this.#context.fillStyle = palette.sunken;
      this.#context.fillRect(x, 0, Math.max(2, width), this.#waveHeight);
      this.#context.strokeStyle = palette["ink-faint"];
      this.#context.setLineDash([3, 3]);
      this.#context.strokeRect(x + 0.5, 0.5, Math.max(2, width) - 1, this.#waveHeight - 1);
      this.#context.setLineDash([]);
    }
  }

  #shots({ shots, window, palette }) {
    for (const shot of shots) this.#line(window.x(shot), palette["wave-shot"], 1, this.#waveHeight);
  }

  #line(x, colour, width, height) {
    this.#context.fillStyle = colour;
    this.#context.fillRect(Math.round(x) - (width > 1 ? 1 : 0), 0, width, height);
  }

  #span(window, { start_ms: start, end_ms: end }) {
    const x = window.x(start);
    return [x, window.x(end) - x];
  }
}

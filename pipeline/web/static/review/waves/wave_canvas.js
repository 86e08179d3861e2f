/**
 * Shows the waveform, and takes the mouse on it: seek, drag a cue's edge, pan, zoom.
 *
 * Keys never come here: all that a mouse can do on the picture has a key on the page, and the cue list is the picture's
 * text for who does not see it.
 */

import { following, brokenRules, snapped } from "../rules/limits.js";
import { Minimap } from "./minimap.js";
import { TimeWindow } from "./time_window.js";
import { WavePainter, paletteOf } from "./wave_painter.js";

const GRIP = 6; // pixels around an edge that take hold of it
const ZOOM_STEP = 1.25;

/** The waveform. Emits `seek` (`{timeMs}`), `pick` (`{id}`) and `retime` (`{id, startMs|endMs}`). */
export class WaveCanvas extends EventTarget {
  #session;
  #canvas;
  #minimap;
  #painter;
  #drag = null;
  #isDue = false;
  #isFollowing = true;

  constructor(session, canvas, minimap) {
    super();
    this.#session = session;
    this.#canvas = canvas;
    this.#minimap = new Minimap(minimap);
    this.#painter = new WavePainter(canvas);
    this.window = new TimeWindow(session.facts.durationMs);
    this.peaks = null;
    this.playheadMs = 0;
    this.#listen();
  }

  /** Take the peaks of the sound, once they are loaded. */
  showPeaks(peaks) {
    this.peaks = peaks;
    this.#resize();
  }

  /** Move the playhead; while it plays, the picture follows it. */
  movePlayhead(timeMs, isPlaying) {
    this.playheadMs = timeMs;
    const isOutside = timeMs < this.window.startMs || timeMs > this.window.endMs - this.window.lengthMs / 20;
    if (isOutside && isPlaying && this.#isFollowing && !this.#drag) this.window.moveTo(timeMs - this.window.lengthMs / 10);
    this.redraw();
  }

  /** Show the cue `id`. */
  reveal(id) {
    const cue = this.#session.draft.cue(id);
    if (cue) this.window.reveal(cue.start_ms, cue.end_ms);
    this.#isFollowing = true;
    this.redraw();
  }

  /** Zoom around the playhead where it is seen, else around the middle. */
  zoom(isIn) {
    const x = this.window.x(this.playheadMs);
    this.window.zoom(isIn ? 1 / ZOOM_STEP : ZOOM_STEP, x >= 0 && x <= this.window.width ? x : undefined);
    this.redraw();
  }

  /** Paint with the next frame of the screen. */
  redraw() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#painter.paint(this.scene());
      this.#minimap.paint(this);
    });
  }

  /** Return all that is to be painted. */
  scene() {
    const { facts, draft, selected, speakers } = this.#session;
    const { startMs, endMs } = this.window;
    const within = (one) => one.end_ms > startMs && one.start_ms < endMs;
    return {
      window: this.window, peaks: this.peaks, palette: (this.palette ??= paletteOf(this.#canvas.parentElement)),
      playheadMs: this.playheadMs, words: facts.words, selected, speakers,
      cues: this.#cuesWithin(draft, startMs, endMs),
      shots: facts.shots.filter((shot) => shot >= startMs && shot <= endMs),
      turns: facts.turns.filter(within), removed: facts.removed.filter(within),
    };
  }

  #cuesWithin(draft, startMs, endMs) {
    const found = [];
    for (let place = Math.max(0, draft.firstAfter(startMs) - 2); place < draft.size; place += 1) {
      const id = draft.at(place);
      const cue = (this.#drag?.id === id && this.#drag.cue) || draft.cue(id); // an edge that is held has not moved yet
      if (cue.start_ms >= endMs) break;
      const isBroken = this.window.msPerPixel < 80 && brokenRules(cue, following(draft, place), this.#session.facts.limits).length > 0;
      if (cue.end_ms > startMs) found.push({ id, cue, isBroken });
    }
    return found;
  }

  #listen() {
    const canvas = this.#canvas;
    new ResizeObserver(() => this.#resize()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#repaint());
    canvas.addEventListener("pointerdown", (event) => this.#press(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#release(event));
    canvas.addEventListener("pointercancel", () => this.#letGo());
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.#minimap.addEventListener("seek", ({ detail: { timeMs } }) => {
      this.window.moveTo(timeMs - this.window.lengthMs / 2);
      this.dispatchEvent(new CustomEvent("seek", { detail: { timeMs } }));
      this.redraw();
    });
  }

  #resize() {
    const isFirst = this.window.width === 1;
    this.window.resize(this.#painter.resize());
    if (isFirst) this.window.zoom(9 / this.window.msPerPixel, 0);
    this.#minimap.forget();
    this.redraw();
  }

  #repaint() {
    this.palette = null;
    this.#minimap.forget();
    this.redraw();
  }

  /** Return the edge or the cue under a column, or null. */
  #under(x) {
    const { draft } = this.#session;
    const timeMs = this.window.time(x);
    const near = GRIP * this.window.msPerPixel;
    const chosen = [this.#session.selected, draft.idAt(timeMs), draft.at(draft.firstAfter(timeMs))];
    for (const id of chosen.filter(Boolean)) {
      const cue = draft.cue(id);
      if (!cue) continue;
      if (Math.abs(cue.start_ms - timeMs) <= near) return { id, edge: "startMs" };
      if (Math.abs(cue.end_ms - timeMs) <= near) return { id, edge: "endMs" };
    }
    const id = draft.size ? draft.idAt(timeMs) : null;
    const cue = id && draft.cue(id);
    return cue && timeMs >= cue.start_ms && timeMs < cue.end_ms ? { id, edge: null } : null;
  }

  #press(event) {
    if (event.button !== 0) return;
    this.#canvas.setPointerCapture(event.pointerId);
    const under = this.#under(event.offsetX);
    const isHeld = under?.edge && !this.#session.isReadOnly;
    this.#drag = { from: event.offsetX, startMs: this.window.startMs, moved: false, ...(isHeld ? under : { under }) };
  }

  #move(event) {
    if (!this.#drag) {
      this.#canvas.classList.toggle("on-edge", Boolean(this.#under(event.offsetX)?.edge) && !this.#session.isReadOnly);
      return;
    }
    this.#drag.moved ||= Math.abs(event.offsetX - this.#drag.from) > 3;
    if (!this.#drag.moved) return;
    if (this.#drag.edge) this.#dragEdge(event);
    else this.window.moveTo(this.#drag.startMs - (event.offsetX - this.#drag.from) * this.window.msPerPixel);
    this.#isFollowing = false;
    this.redraw();
  }

  #dragEdge(event) {
    const { facts, draft } = this.#session;
    const cue = draft.cue(this.#drag.id);
    const zoneMs = event.altKey ? 0 : Math.min(facts.limits.shot_zone_ms, 10 * this.window.msPerPixel);
    const timeMs = Math.round(snapped(this.window.time(event.offsetX), facts.shots, zoneMs));
    const [start, end] = this.#drag.edge === "startMs" ? [timeMs, cue.end_ms] : [cue.start_ms, timeMs];
    if (end - start < 40 || start < 0) return;
    this.#drag.cue = { ...cue, start_ms: start, end_ms: end };
  }

  #release(event) {
    const drag = this.#drag;
    this.#letGo();
    if (!drag) return;
    if (drag.edge && drag.cue) {
      const timeMs = drag.edge === "startMs" ? drag.cue.start_ms : drag.cue.end_ms;
      this.dispatchEvent(new CustomEvent("retime", { detail: { id: drag.id, [drag.edge]: timeMs } }));
    } else if (!drag.moved) {
      const id = drag.id ?? drag.under?.id;
      if (id) this.dispatchEvent(new CustomEvent("pick", { detail: { id } }));
      this.dispatchEvent(new CustomEvent("seek", { detail: { timeMs: this.window.time(event.offsetX) } }));
    }
  }

  #letGo() {
    this.#drag = null;
    this.redraw();
  }

  #wheel(event) {
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) this.window.zoom(event.deltaY < 0 ? 1 / ZOOM_STEP : ZOOM_STEP, event.offsetX);
    else this.window.moveTo(this.window.startMs + (event.deltaX || event.deltaY) * this.window.msPerPixel);
    this.#isFollowing = false;
    this.redraw();
  }
}

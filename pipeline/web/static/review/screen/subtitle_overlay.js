/** Draws the subtitle of the moment over the picture, as text of the page: a browser's own subtitles know less. */

import { element } from "../elements.js";

/** The subtitle over the picture. */
export class SubtitleOverlay {
  #session;
  #node;
  #shown = "";

  constructor(session, node) {
    this.#session = session;
    this.#node = node;
    session.addEventListener("draft", () => this.#forget());
  }

  /** Show what stands on the screen at a time; `text` is that of the cue which is being typed. */
  show(timeMs, typed = null) {
    const { draft } = this.#session;
    const id = draft.size ? draft.idAt(timeMs) : null;
    const cue = id && draft.cue(id);
    const isOn = cue && timeMs >= cue.start_ms && timeMs < cue.end_ms;
    const lines = isOn ? (typed?.id === id ? typed.lines : cue.lines) : [];
    const key = isOn ? `${id} ${lines.join("\n")} ${cue.place?.anchor}` : "";
    if (key === this.#shown) return;
    this.#shown = key;
    this.#node.dataset.anchor = cue?.place?.anchor ?? 2;
    this.#node.replaceChildren(...lines.map((line) => element("span", {
      class: cue.italic ? "line italic" : "line", dir: "auto", lang: this.#session.facts.language, text: line,
    })));
  }

  #forget() {
    this.#shown = null;
  }
}

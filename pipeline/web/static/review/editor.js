/**
 * Edits the chosen cue: one text area for whichever cue is chosen, its times, its speaker, and its limits as they are
 * while it is typed. What is typed is kept in the browser at once and becomes an operation when the cue is left, so
 * nothing is lost by choosing another one or by closing the page.
 */

import { giveTo } from "./dialogs/speakers.js";
import { byId, element } from "./elements.js";
import { asLines, respeak, retext, retime } from "./rules/changes.js";
import { clock, parseClock } from "./rules/clock.js";
import { brokenRules, following, readingSpeed } from "./rules/limits.js";
import { places } from "./rules/text_width.js";

const MEASURED = new Set(["line-length", "reading-speed"]); // shown with their figures in any case
const NEW_SPEAKER = "+"; // no label is one
const KEEP_AFTER_MS = 150; // so soon typed text is in the browser's store

/** The editor. Emits `typed` while text is typed. `newest` is the newest correction of a text: `{id, before, after}`. */
export class Editor extends EventTarget {
  #session;
  #outbox;
  #id = null;
  #parts = Object.fromEntries(["text", "start", "end", "length", "speaker", "limits", "original"].map((name) => [name, byId(`edit-${name}`)]));
  #keeping = 0;
  newest = null;

  constructor(session, outbox) {
    super();
    this.#session = session;
    this.#outbox = outbox;
    const { text, start, end, speaker } = this.#parts;
    text.addEventListener("input", () => this.#onInput());
    start.addEventListener("change", () => this.#retime("startMs", start));
    end.addEventListener("change", () => this.#retime("endMs", end));
    speaker.addEventListener("change", () => {
      if (speaker.value === NEW_SPEAKER) giveTo(session, session.speakers.length + 1);
      else session.change(respeak(session.draft, this.#id, speaker.value));
    });
    for (const input of [start, end]) input.addEventListener("keydown", (event) => this.#onTimeKey(event, input));
    session.addEventListener("selected", ({ detail: { id } }) => this.open(id));
    session.addEventListener("draft", ({ detail: { ids } }) => this.#onDraft(ids));
    session.addEventListener("mode", () => this.#showMode());
    this.open(session.selected);
  }

  /** Return the cue that is being typed: `{id, lines}`, or null. */
  get typed() {
    return this.#isTyped ? { id: this.#id, lines: asLines(this.#parts.text.value) } : null;
  }

  /** Return the place of the cursor in the text. */
  get cursor() {
    return this.#parts.text.selectionStart;
  }

  /** Show a cue; what was typed into the one before is kept. */
  open(id) {
    if (id === this.#id) return;
    this.commit();
    this.#id = id;
    this.#showCue();
    if (this.isFocused) this.#parts.text.select();
  }

  /** Put the cursor into the text, with a part of it chosen: `{start, end}`, or its end. */
  focus(range = null) {
    const { text } = this.#parts;
    text.focus({ preventScroll: true });
    text.setSelectionRange(range?.start ?? text.value.length, range?.end ?? text.value.length);
  }

  /** Leave the text. */
  leave() {
    this.commit();
    byId("list").focus({ preventScroll: true });
  }

  /** Keep what is typed as a correction. Returns whether it changed something. */
  commit() {
    clearTimeout(this.#keeping);
    const cue = this.#id && this.#session.draft.cue(this.#id);
    if (!cue || !this.#isTyped) return false;
    const [id, before] = [this.#id, cue.lines.join("\n")];
    const isKept = this.#session.change(retext(this.#session.draft, id, this.#parts.text.value));
    this.#outbox.forgetTyped();
    const after = this.#session.draft.cue(id)?.lines.join("\n") ?? "";
    if (isKept) this.newest = { id, before, after };
    this.#showText();
    return isKept;
  }

  /** Put a line break where the cursor is. */
  newLine() {
    const { text } = this.#parts;
    text.setRangeText("\n", text.selectionStart, text.selectionEnd, "end");
    this.#onInput();
  }

  /** Tell whether text is typed into the cue. */
  get isFocused() {
    return document.activeElement === this.#parts.text;
  }

  get #isTyped() {
    const cue = this.#id && this.#session.draft.cue(this.#id);
    return Boolean(cue) && asLines(this.#parts.text.value).join("\n") !== asLines(cue.lines.join("\n")).join("\n");
  }

  #onInput() {
    const cue = this.#session.draft.cue(this.#id);
    if (!cue) return;
    this.#showLimits({ ...cue, lines: asLines(this.#parts.text.value) }, false);
    this.dispatchEvent(new Event("typed"));
    clearTimeout(this.#keeping);
    this.#keeping = setTimeout(() => this.#outbox.type(this.#id, cue, this.#parts.text.value), KEEP_AFTER_MS);
  }

  #retime(edge, input) {
    const timeMs = parseClock(input.value);
    const operations = timeMs === null ? [] : retime(this.#session.draft, this.#id, { [edge]: timeMs });
    if (!this.#session.change(operations)) this.#showTimes();
    input.setAttribute("aria-invalid", "false");
  }

  #onTimeKey(event, input) {
    if (event.code !== "ArrowUp" && event.code !== "ArrowDown") return;
    event.preventDefault();
    event.stopPropagation();
    const timeMs = parseClock(input.value);
    if (timeMs === null) return;
    input.value = clock(timeMs + (event.code === "ArrowUp" ? 1 : -1) * (event.shiftKey ? 500 : 40));
    input.dispatchEvent(new Event("change"));
  }

  #onDraft(ids) {
    if (this.#session.draft.place(this.#id) < 0) {
      this.#id = null; // so that nothing is kept into a cue that is gone, or of another track
      this.open(this.#session.selected);
    } else if (ids.size === 0 || ids.has(this.#id)) this.#showCue(!this.isFocused || ids.has(this.#id));
    else this.#showSpeakers();
  }

  #showCue(withText = true) {
    const cue = this.#id && this.#session.draft.cue(this.#id);
    byId("editor").classList.toggle("nothing", !cue);
    if (!cue) return;
    if (withText) this.#showText();
    this.#showTimes();
    this.#showSpeakers();
    this.#showOriginal();
    this.#showLimits(cue, true);
    this.#showMode();
  }

  #showText() {
    const cue = this.#session.draft.cue(this.#id);
    if (!cue) return;
    const { text } = this.#parts;
    text.lang = this.#session.facts.language;
    if (text.value !== cue.lines.join("\n")) text.value = cue.lines.join("\n");
  }

  #showTimes() {
    const { start, end, length } = this.#parts;
    const cue = this.#session.draft.cue(this.#id);
    start.value = clock(cue.start_ms);
    end.value = clock(cue.end_ms);
    length.textContent = `${((cue.end_ms - cue.start_ms) / 1000).toFixed(2)} s`;
  }

  #showSpeakers() {
    const { speaker } = this.#parts;
    const label = this.#session.draft.cue(this.#id)?.speaker;
    const chosen = this.#session.speakers.find((one) => one.labels.includes(label));
    speaker.replaceChildren(
      element("option", { value: "", text: "no speaker", selected: !chosen }),
      ...this.#session.speakers.map((one) => element("option", {
        value: one === chosen ? label : one.labels[0], text: one.name, selected: one === chosen,
      })),
      element("option", { value: NEW_SPEAKER, text: "new speaker" }));
  }

  #showOriginal() {
    const original = this.#session.original(this.#id);
    this.#parts.original.hidden = !original;
    this.#parts.original.replaceChildren(
      element("span", { dir: "auto", lang: this.#session.facts.sourceLanguage, text: original?.text ?? "" }),
      original?.isStale ? element("span", { class: "stale-note", text: ` ↻ ${original.why}` }) : "");
  }

  #showLimits(cue, withReasons) {
    const { draft, facts } = this.#session;
    const broken = withReasons ? this.#session.broken(this.#id) : brokenRules(cue, following(draft, draft.place(this.#id)), facts.limits);
    const measure = (rule, text, title) => element("span", { class: broken.some((one) => one.rule === rule) ? "broken" : "", text, title });
    const lines = cue.lines.map(places).join(" + ") || "0";
    this.#parts.limits.replaceChildren(
      measure("line-length", `Length ${lines} of ${facts.limits.line_length}`, "places of each line, and how many the guide allows"),
      measure("reading-speed", `Speed ${readingSpeed(cue).toFixed(1)} of ${facts.limits.reading_speed}`, "places a second, and how many the guide allows"),
      ...broken.map((one) => MEASURED.has(one.rule) ? one.reason : [one.says, one.reason].filter(Boolean).join(": "))
        .filter(Boolean).map((text) => element("span", { class: "broken", text })));
  }

  #showMode() {
    for (const name of ["text", "start", "end", "speaker"]) this.#parts[name].toggleAttribute(name === "speaker" ? "disabled" : "readonly", this.#session.isReadOnly);
  }
}

/**
 * Shows the cues as a list of which only the rows in sight exist, however long the film is: a row of one height each.
 *
 * A list box with `aria-activedescendant`: the focus stays on the list, and each row says its place and how many there
 * are, since most are not in the document.
 */

import { byId, element, show } from "../elements.js";
import { cueRow } from "./cue_row.js";

const ROW_REM = 3.75;
const SPARE = 4; // rows beyond those in sight

/** The list. Emits `open` when a row is to be edited. */
export class CueList extends EventTarget {
  #session;
  #list;
  #pad;
  #rows = new Map();
  #rowHeight;
  #isDue = false;

  constructor(session, list) {
    super();
    this.#session = session;
    this.#list = list;
    this.#pad = element("div", { class: "pad", role: "presentation" });
    list.replaceChildren(this.#pad);
    this.#rowHeight = ROW_REM * parseFloat(getComputedStyle(document.documentElement).fontSize);
    list.style.setProperty("--row", `${this.#rowHeight}px`);
    this.#listen();
    this.refresh();
  }

  /** Make the rows again: all, or those of some cues. */
  refresh(ids = null) {
    this.#showWhatThereIs();
    this.#pad.style.setProperty("height", `${this.#session.draft.size * this.#rowHeight}px`);
    for (const [id, { row }] of this.#rows) {
      if (ids && !ids.has(id)) continue;
      row.remove();
      this.#rows.delete(id);
    }
    this.#fill();
  }

  /** Show the heads of the columns above the rows, or a word where there is no row. */
  #showWhatThereIs() {
    const { draft, facts } = this.#session;
    show(byId("no-cues"), draft.size === 0);
    for (const part of [this.#list, byId("heads")]) show(part, draft.size > 0);
    byId("heads").classList.toggle("paired", facts.spokenTrack !== null && facts.spokenTrack !== draft.track);
  }

  /** Scroll so that the chosen cue is seen with those around it; not at all if it is. */
  reveal() {
    const place = this.#session.draft.place(this.#session.selected);
    if (place < 0) return;
    const [top, height] = [place * this.#rowHeight, this.#list.clientHeight];
    const spare = Math.max(0, Math.min(1.5 * this.#rowHeight, (height - this.#rowHeight) / 2));
    const above = this.#list.scrollTop + spare - top;
    const below = top + this.#rowHeight + spare - this.#list.scrollTop - height;
    if (Math.max(above, below) > height / 2) this.#list.scrollTop = top - height / 3;
    else if (above > 0) this.#list.scrollTop -= above;
    else if (below > 0) this.#list.scrollTop += below;
    this.#fill();
  }

  #listen() {
    this.#list.addEventListener("scroll", () => this.#fillSoon(), { passive: true });
    new ResizeObserver(() => this.#resize()).observe(this.#list);
    const idOf = (event) => event.target.closest?.("[data-id]")?.dataset.id;
    this.#list.addEventListener("click", (event) => this.#session.select(idOf(event), "list"));
    this.#list.addEventListener("dblclick", (event) => {
      if (idOf(event)) this.dispatchEvent(new Event("open"));
    });
    this.#session.addEventListener("selected", ({ detail: { id, before } }) => {
      this.#mark(before, false);
      this.reveal();
      this.#mark(id, true);
    });
    this.#session.addEventListener("draft", ({ detail: { ids } }) => this.#take(ids));
    this.#session.addEventListener("track", () => {
      this.refresh();
      this.reveal();
    });
  }

  /** Fill the new height. The heads end where the rows do, beside the scroll bar. */
  #resize() {
    byId("heads").style.setProperty("margin-inline-end", `${this.#list.offsetWidth - this.#list.clientWidth}px`);
    this.#fill();
    this.reveal();
  }

  /** Take a change: rows move only if one came or went; a neighbour's gap may change with a cue. */
  #take(ids) {
    const { draft } = this.#session;
    // The name of a speaker and a settled doubt show in rows all over the list.
    if ([...ids].some((id) => !draft.cue(id) && /^(speaker|doubt)\//.test(id))) this.refresh();
    const around = new Set(ids);
    for (const id of ids) {
      const place = draft.place(id);
      if (place > 0) around.add(draft.at(place - 1));
    }
    this.refresh(around);
    this.reveal();
  }

  #mark(id, isSelected) {
    this.#rows.get(id)?.row.setAttribute("aria-selected", String(isSelected));
    if (isSelected) this.#list.setAttribute("aria-activedescendant", `cue-${id}`);
  }

  #fillSoon() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#fill();
    });
  }

  #fill() {
    const { draft } = this.#session;
    const first = Math.max(0, Math.floor(this.#list.scrollTop / this.#rowHeight) - SPARE);
    const last = Math.min(draft.size, Math.ceil((this.#list.scrollTop + this.#list.clientHeight) / this.#rowHeight) + SPARE);
    const wanted = new Set(draft.order.slice(first, last));
    for (const [id, { row }] of this.#rows) {
      if (wanted.has(id)) continue;
      row.remove();
      this.#rows.delete(id);
    }
    for (let place = first; place < last; place += 1) this.#place(draft.at(place), place);
    this.#mark(this.#session.selected, true);
  }

  #place(id, place) {
    const shown = this.#rows.get(id);
    if (shown?.place === place) return;
    const row = shown?.row ?? this.#pad.appendChild(cueRow(this.#session, id));
    row.style.setProperty("top", `${place * this.#rowHeight}px`);
    row.setAttribute("aria-posinset", place + 1);
    row.setAttribute("aria-setsize", this.#session.draft.size);
    this.#rows.set(id, { row, place });
  }
}

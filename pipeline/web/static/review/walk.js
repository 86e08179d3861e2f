/**
 * Walks through the doubts: shows each with its reason, lets it be heard at once, and takes the answer: right as it is,
 * or a correction in the text, where the doubted words are chosen already.
 */

import { button, tell } from "./dialogs/dialogs.js";
import { byId, element } from "./elements.js";
import { keyOf } from "./keys.js";
import { insert, settle } from "./rules/changes.js";
import { KINDS, openDoubts, placeOf } from "./rules/doubts.js";

/** The walk. Emits `fix` when a correction is to be made everywhere. */
export class Walk extends EventTarget {
  #session;
  #player;
  #editor;
  #panel = byId("walk");
  #doubt = null;

  constructor(session, player, editor) {
    super();
    this.#session = session;
    this.#player = player;
    this.#editor = editor;
    session.addEventListener("draft", () => this.#showCount());
    session.addEventListener("selected", ({ detail: { id, reason } }) => {
      if (this.#doubt && reason !== "walk" && !this.#doubt.cues.includes(id)) this.leave();
    });
    session.addEventListener("track", () => this.leave());
    byId("doubts").addEventListener("click", () => this.next());
    this.#showCount();
  }

  /** Return the doubt that is shown, or null. */
  get doubt() {
    return this.#doubt;
  }

  /** Go to the next open doubt, or to the one before, and play it. */
  next(direction = 1) {
    this.#editor.commit();
    const open = openDoubts(this.#session);
    const all = [...this.#session.facts.doubts, ...open.filter((one) => one.id.startsWith("live."))];
    const isOpen = new Set(open.map((one) => one.id));
    const ids = all.map((one) => one.id);
    let place = this.#doubt ? ids.indexOf(this.#doubt.id) : direction > 0 ? -1 : all.length;
    for (let tried = 0; tried < all.length; tried += 1) {
      place = (place + direction + all.length) % all.length;
      if (isOpen.has(ids[place])) return this.#show(open.find((one) => one.id === ids[place]));
    }
    this.leave();
    tell("No doubts left. The corrections are ready to be applied.", { state: "good" });
  }

  /** Say that the doubt is right as it is, and go on. */
  right() {
    if (!this.#doubt) return;
    this.#session.change(settle(this.#session.draft, this.#doubt, true));
    this.next();
  }

  /** Play the doubt. */
  hear(rate = 1) {
    const [start, end] = this.#doubt.hear;
    this.#player.playSpan(start, end, rate);
  }

  /** Put a removed text back as a cue. */
  putBack() {
    const { start_ms, end_ms, text } = this.#doubt;
    const operations = insert(this.#session.draft, { start_ms, end_ms, lines: [text] });
    if (this.#session.change(operations)) this.#session.select(operations[0].id, "walk");
    this.#editor.focus();
  }

  /** Close the panel. */
  leave() {
    this.#doubt = null;
    this.#panel.hidden = true;
  }

  #show(doubt) {
    this.#doubt = doubt;
    const id = doubt.cues.find((one) => this.#session.draft.cue(one)) ?? this.#session.draft.idAt(doubt.start_ms);
    this.#session.select(id, "walk");
    this.#panel.hidden = false;
    const open = openDoubts(this.#session);
    this.#panel.replaceChildren(...[
      element("p", { class: "spread" },
        element("span", {}, element("strong", { text: KINDS[doubt.kind] ?? doubt.kind }), element("span", { class: "soft", text: `: ${doubt.why}` })),
        element("span", { class: "soft small figures", text: `${open.length} open` })),
      doubt.kind === "removed" ? element("p", { class: "doubted", dir: "auto", text: doubt.text }) : null,
      element("div", { class: "row" }, this.#buttons(doubt)),
    ].filter(Boolean));
    this.hear();
    // A removed text has no place in a text yet.
    if (doubt.kind === "removed") byId("list").focus({ preventScroll: true });
    else this.#editor.focus(placeOf(this.#session, id, doubt));
  }

  #buttons({ kind }) {
    const withKey = (text, command, onclick, kind_ = "small") => {
      const made = button(`${text} `, onclick, kind_);
      made.append(element("kbd", { text: keyOf(command) }));
      return made;
    };
    return [
      withKey("Right as it is", "right", () => this.right(), "small primary"),
      withKey("Hear again", "hearSlowly", () => this.hear(0.75)),
      kind === "removed" ? withKey("Put back", "insert", () => this.putBack()) : withKey("Fix everywhere", "fixEverywhere", () => this.dispatchEvent(new Event("fix"))),
      withKey("Next", "nextDoubt", () => this.next()),
    ];
  }

  #showCount() {
    const open = openDoubts(this.#session).length;
    byId("doubts-count").textContent = open;
    byId("doubts").classList.toggle("none", !open);
  }
}

/** Makes the row of one cue in the list. */

import { element, marked } from "../elements.js";
import { clock } from "../rules/clock.js";
import { readingSpeed } from "../rules/limits.js";
import { DOUBTFUL, SURE } from "../rules/words.js";

/** Return the row of a cue. */
export function cueRow(session, id) {
  const original = session.original(id);
  const { draft, facts, selected } = session;
  const cue = draft.cue(id);
  const place = draft.place(id);
  const broken = session.broken(id);
  const name = session.nameOf(cue.speaker);
  const speed = readingSpeed(cue);
  return element("div", {
    class: `cue${original ? " paired" : ""}`, id: `cue-${id}`, role: "option", "data-id": id,
    "aria-posinset": place + 1, "aria-setsize": draft.size, "aria-selected": String(id === selected),
  },
    element("span", { class: "when", text: clock(cue.start_ms) }),
    element("span", { class: name ? speakerClass(session, cue.speaker) : "speaker", dir: "auto", text: name, title: name }),
    original && element("span", { class: "original", dir: "auto", lang: facts.sourceLanguage, text: original.text }),
    textOf(session, id, cue),
    element("span", {
      class: speed > facts.limits.reading_speed ? "speed over" : "speed",
      text: Number.isFinite(speed) ? speed.toFixed(0) : "", title: "places a second",
    }),
    flags(session, id, broken, original));
}

/** Return the class that gives a speaker's name its colour. There are six, so that they stay apart. */
export function speakerClass(session, label) {
  return `speaker s${(session.speakerPlace(label) % 6) + 1}`;
}

function textOf(session, id, cue) {
  const text = cue.lines.join("\n");
  const ranges = session.tokens(id)
    .filter((token) => token.probability !== null && token.probability < SURE && !session.isSettled(token.startMs, token.endMs))
    .map((token) => ({
      start: token.start, end: token.end, kind: token.probability < DOUBTFUL ? "doubt wavy" : "doubt",
      title: `the recogniser gave this ${Math.round(token.probability * 100)} %`,
    }));
  return element("span", { class: "text", dir: "auto", lang: session.facts.language }, marked(text, ranges));
}

/** Return the marks at the end of a row. Each is a letter or a sign with words, never a colour alone. */
function flags(session, id, broken, original) {
  const says = broken.map((one) => one.says).join("; ");
  return element("span", { class: "flags" },
    broken.length ? element("span", { class: "flag limit", role: "img", "aria-label": `over a limit: ${says}`, title: says, text: "!" }) : null,
    session.isChanged(id) ? element("span", { class: "flag changed", role: "img", "aria-label": "corrected", title: "corrected", text: "●" }) : null,
    original?.isStale ? element("span", { class: "flag stale", role: "img", "aria-label": original.why, title: original.why, text: "↻" }) : null);
}

/** Finds and replaces text: what was corrected once, everywhere; or anything. Every place is shown before it changes. */

import { element, marked } from "../elements.js";
import { patternFor, replaceAll } from "../rules/changes.js";
import { clock } from "../rules/clock.js";
import { partsOf } from "../rules/words.js";
import { button, counted, openDialog, tell } from "./dialogs.js";

const SHOWN = 100; // places in the dialog; all of them are changed

/** Return which words a correction replaced by which: `{from, to}`, or null if it added or took away only. */
export function correctionOf(before, after) {
  const [old, now] = [partsOf(before), partsOf(after)];
  let first = 0;
  while (first < old.length && first < now.length && old[first].text === now[first].text) first += 1;
  let [oldEnd, nowEnd] = [old.length, now.length];
  while (oldEnd > first && nowEnd > first && old[oldEnd - 1].text === now[nowEnd - 1].text) [oldEnd, nowEnd] = [oldEnd - 1, nowEnd - 1];
  if (oldEnd === first || nowEnd === first) return null;
  const text = (whole, parts, end) => whole.slice(parts[first].start, parts[end - 1].end).replace(/\s+/g, " ");
  return withoutCommonEdges(text(before, old, oldEnd), text(after, now, nowEnd));
}

/** Leave out the punctuation that both texts end and begin with. */
function withoutCommonEdges(from, to) {
  const edge = (one, other, pattern) => {
    const [mine, its] = [one.match(pattern)?.[0] ?? "", other.match(pattern)?.[0] ?? ""];
    return mine === its ? mine.length : 0;
  };
  const head = edge(from, to, /^[^\p{L}\p{N}]+/u);
  const tail = edge(from, to, /[^\p{L}\p{N}]+$/u);
  return { from: from.slice(head, from.length - tail), to: to.slice(head, to.length - tail) };
}

/** Open the dialog to find and replace. `offer` is the one to put the replacement into the glossary too, if there is one. */
export function openReplace(session, { from = "", to = "", offer = null } = {}) {
  const find = element("input", { id: "find", type: "text", dir: "auto", value: from, autofocus: !from });
  const replacement = element("input", { id: "replacement", type: "text", dir: "auto", value: to });
  const whole = element("input", { type: "checkbox", checked: true });
  const matchCase = element("input", { type: "checkbox", checked: Boolean(from) });
  const found = element("div", { class: "found", role: "region", "aria-live": "polite", "aria-label": "Places" });
  const replace = button("Replace", () => run(), "primary");
  const left = new Set(); // places that a person takes out
  let pattern = null;

  const look = () => {
    pattern = find.value.trim() ? patternFor(find.value.trim(), { wholeWords: whole.checked, matchCase: matchCase.checked }) : null;
    const places = pattern ? placesWith(session, pattern) : [];
    const count = places.filter(({ id }) => !left.has(id)).length;
    replace.textContent = count ? `Replace in ${counted(count, "cue")}` : "Replace";
    replace.disabled = !count;
    found.replaceChildren(
      element("p", { class: "soft small", text: summary(find.value, places.length) }),
      ...places.slice(0, SHOWN).map((place) => row(session, place, left, look)));
  };
  const run = () => {
    const only = new Set(session.draft.order.filter((id) => !left.has(id)));
    const operations = replaceAll(session.draft, pattern, replacement.value, only);
    if (!session.change(operations)) return;
    dialog.close();
    tell(`Replaced in ${counted(operations.length, "cue")}. Ctrl+Z takes it back.`);
    offer?.write();
  };
  replacement.addEventListener("input", () => offer?.offer(replacement.value.trim()));
  for (const input of [find, whole, matchCase]) input.addEventListener("input", look);
  const form = element("form", { class: "stack", onsubmit: (event) => event.preventDefault() },
    element("div", { class: "field" }, element("label", { for: "find", text: "Find" }), find),
    element("div", { class: "field" }, element("label", { for: "replacement", text: "Replace with" }), replacement),
    element("div", { class: "row" }, element("label", { class: "tick" }, whole, "Whole words"), element("label", { class: "tick" }, matchCase, "Match case")),
    found, offer?.part);
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || replace.disabled) return;
    event.preventDefault();
    run();
  });
  const dialog = openDialog(from ? "Fix everywhere" : "Find and replace", form, [button("Cancel", () => dialog.close()), replace]);
  look();
  offer?.offer(to);
  if (from) replace.focus();
}

function summary(text, count) {
  if (!text.trim()) return "";
  if (!count) return "No cue has this text.";
  return count > SHOWN ? `${count} cues have this text; the first ${SHOWN} are shown.` : `${count} ${count === 1 ? "cue has" : "cues have"} this text.`;
}

function placesWith(session, pattern) {
  return [...session.draft].flatMap(([id, cue]) => {
    const text = cue.lines.join(" ");
    const ranges = [...text.matchAll(pattern)].map((match) => ({ start: match.index, end: match.index + match[0].length, kind: "hit" }));
    return ranges.length ? [{ id, cue, text, ranges }] : [];
  });
}

function row(session, { id, cue, text, ranges }, left, onChange) {
  const box = element("input", { type: "checkbox", checked: !left.has(id) });
  box.addEventListener("change", () => {
    if (box.checked) left.delete(id);
    else left.add(id);
    onChange();
  });
  return element("label", { class: "place" }, box,
    element("span", { class: "when", text: clock(cue.start_ms) }),
    element("span", { class: "grow", dir: "auto", lang: session.facts.language }, marked(text, ranges)));
}

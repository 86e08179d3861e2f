/**
 * Decides which doubts are still open. The server finds them (see `pipeline/publishing/doubts.py`) and orders them by
 * what deciding them gains; here they close as the draft changes, and the limits that a correction breaks are added.
 */

import { bare, partsOf } from "./words.js";

const LIVE_GAIN = 1;

/** Return the open doubts of the shown track, most rewarding first. */
export function openDoubts(session) {
  const found = session.facts.doubts.filter((doubt) => isOpen(session, doubt));
  const known = new Set(found.filter((one) => one.kind === "limit").flatMap((one) => one.cues.map((id) => `${id} ${one.rule}`)));
  return [...found, ...liveLimits(session).filter((one) => !known.has(`${one.cues[0]} ${one.rule}`))];
}

/** Tell whether a doubt is neither settled nor corrected. */
export function isOpen(session, doubt) {
  const { draft } = session;
  if (draft.item(`doubt/${doubt.id}`)?.right) return false;
  if (doubt.kind === "removed") return !isCovered(draft, doubt);
  const cues = doubt.cues.filter((id) => draft.cue(id));
  if (!cues.length) return false;
  if (doubt.kind === "limit") return cues.some((id) => session.broken(id).some((one) => one.rule === doubt.rule));
  if (!doubt.cues.some((id) => session.isChanged(id))) return true;
  if (doubt.kind === "speakers") return false;
  return holds(cues.map((id) => draft.cue(id).lines.join(" ")).join(" "), doubt.text);
}

/** Tell whether a cue was added where text had been removed. */
function isCovered(draft, doubt) {
  for (let place = Math.max(0, draft.firstAfter(doubt.start_ms) - 1); place < draft.size; place += 1) {
    const cue = draft.cue(draft.at(place));
    if (cue.start_ms >= doubt.end_ms) return false;
    if (cue.end_ms > doubt.start_ms && holds(cue.lines.join(" "), doubt.text)) return true;
  }
  return false;
}

function holds(text, part) {
  const words = (one) => partsOf(one).map(({ text: word }) => bare(word)).filter(Boolean).join(" ");
  return ` ${words(text)} `.includes(` ${words(part)} `);
}

/** Return the limits that corrected cues break. */
function liveLimits(session) {
  return session.draft.order.filter((id) => session.isChanged(id)).flatMap((id) => {
    const cue = session.draft.cue(id);
    return session.broken(id).map((one) => ({
      id: `live.${one.rule}.${id.replace("/", ".")}`, kind: "limit", gain: LIVE_GAIN, cues: [id], rule: one.rule,
      start_ms: cue.start_ms, end_ms: cue.end_ms, hear: [cue.start_ms - 500, cue.end_ms + 500],
      text: cue.lines.join(" "), why: one.says,
    })).filter((doubt) => !session.draft.item(`doubt/${doubt.id}`)?.right);
  });
}

/**
 * Return where the text of a doubt stands in a cue's text: `{start, end}`, or null. The words' times decide between
 * several places.
 */
export function placeOf(session, id, doubt) {
  const wanted = partsOf(doubt.text).map(({ text }) => bare(text)).filter(Boolean);
  const found = session.tokens(id).filter((token) => bare(token.text));
  let best = null;
  for (let first = 0; first + wanted.length <= found.length; first += 1) {
    if (!wanted.every((word, index) => bare(found[first + index].text) === word)) continue;
    const place = { start: found[first].start, end: found[first + wanted.length - 1].end, far: Math.abs(found[first].startMs - doubt.start_ms) };
    if (!best || place.far < best.far) best = place;
  }
  return best;
}

/** The names of the kinds, for people. */
export const KINDS = {
  unsure: "Unsure words", name: "Name", number: "Number", speakers: "Two speakers", limit: "Over a limit", removed: "Removed text",
};

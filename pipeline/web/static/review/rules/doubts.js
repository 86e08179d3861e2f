/**
 * Decides which doubts are still open. The server finds them (see `pipeline/publishing/doubts.py`) and orders them by
 * what deciding them gains; here they close as the draft changes, and the limits that a correction breaks are added.
 */

import { bare, lettersOf, partsOf } from "./words.js";

const LIVE_GAIN = 0.5;
const AROUND_MS = 500; // is heard before and after a cue

/** Return the open doubts of the shown track, most rewarding first. */
export function openDoubts(session) {
  const found = session.facts.doubts.filter((doubt) => isOpen(session, doubt));
  const known = new Set(found.filter((one) => one.kind === "limit").flatMap((one) => one.cues));
  return [...found, ...liveLimits(session).filter((one) => !known.has(one.cues[0]))];
}

/** Tell whether a doubt is neither settled nor corrected. */
export function isOpen(session, doubt) {
  const { draft } = session;
  if (draft.item(`doubt/${doubt.id}`)?.right) return false;
  if (doubt.kind === "removed") return !isCovered(draft, doubt);
  const cues = doubt.cues.filter((id) => draft.cue(id));
  if (!cues.length) return false;
  if (doubt.kind === "limit") return cues.some((id) => session.broken(id).length > 0);
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

/** Return a doubt for each corrected cue that breaks a limit which it kept before. */
function liveLimits(session) {
  return session.draft.order.filter((id) => session.isChanged(id) && session.newlyBroken(id).length).map((id) => {
    const cue = session.draft.cue(id);
    return {
      id: `live.${id.replace("/", ".")}`, kind: "limit", gain: LIVE_GAIN, cues: [id], text: cue.lines.join(" "),
      start_ms: cue.start_ms, end_ms: cue.end_ms, hear: [cue.start_ms - AROUND_MS, cue.end_ms + AROUND_MS],
      why: session.newlyBroken(id).map((one) => one.says).join("; "),
    };
  }).filter((doubt) => !session.draft.item(`doubt/${doubt.id}`)?.right);
}

/**
 * Return the part of a cue's text that a doubt is about: `{start, end}`. Doubted words are chosen, so that typing replaces
 * them; of two speakers, the second's first word has the cursor before it, so that the cue is split there.
 */
export function placeOf(session, id, doubt) {
  const found = session.tokens(id);
  if (doubt.kind === "speakers") {
    const second = found.find((token, place) => place && token.speaker !== found[place - 1].speaker);
    return { start: second?.start ?? 0, end: second?.start ?? 0 };
  }
  const text = session.draft.cue(id).lines.join("\n");
  return (doubt.kind === "limit" ? null : wordsIn(found, doubt)) ?? { start: text.length, end: text.length };
}

/** Return where the words of a doubt stand; their times decide between several places. */
function wordsIn(tokens, doubt) {
  const wanted = partsOf(doubt.text).map(({ text }) => bare(text)).filter(Boolean);
  const found = tokens.filter((token) => bare(token.text));
  if (!wanted.length) return null;
  let best = null;
  for (let first = 0; first + wanted.length <= found.length; first += 1) {
    if (!wanted.every((word, index) => bare(found[first + index].text) === word)) continue;
    const place = {
      start: lettersOf(found[first]).start, end: lettersOf(found[first + wanted.length - 1]).end,
      far: Math.abs(found[first].startMs - doubt.start_ms),
    };
    if (!best || place.far < best.far) best = place;
  }
  return best;
}

/** The names of the kinds, for people. */
export const KINDS = {
  unsure: "Unsure words", name: "Name", number: "Number", speakers: "Two speakers", limit: "Over a limit", removed: "Removed text",
};

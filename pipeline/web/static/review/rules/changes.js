/**
 * Makes the operations of each kind of correction: another text, other times, a split, a merge. Pure: each function
 * takes a draft and returns operations, which are empty if nothing changes.
 */

import { isSame, newId } from "./draft.js";
import { tokens } from "./words.js";

/** Return the operation that turns a cue into another, if they differ. */
function turn(id, before, after) {
  return isSame(before, after) ? [] : [{ id, before, after }];
}

/** Return a cue with other lines. Looks of parts of the old text are kept only where the text is the same. */
function withLines(cue, lines) {
  const isSameText = lines.join("\n") === cue.lines.join("\n");
  return { ...cue, lines, spans: isSameText ? cue.spans : [] };
}

/** Return text as lines: without the blanks at their ends, and without empty lines. */
export function asLines(text) {
  return text.split("\n").map((line) => line.trim()).filter(Boolean);
}

/** Give a cue another text; line breaks separate its lines. */
export function retext(draft, id, text) {
  const cue = draft.cue(id);
  return cue ? turn(id, cue, withLines(cue, asLines(text))) : [];
}

/** Move a cue's edges. It stays at least one frame long, and never begins before 0. */
export function retime(draft, id, { startMs, endMs }) {
  const cue = draft.cue(id);
  if (!cue) return [];
  const [start, end] = [Math.max(0, Math.round(startMs ?? cue.start_ms)), Math.round(endMs ?? cue.end_ms)];
  return end - start < MIN_MS ? [] : turn(id, cue, { ...cue, start_ms: start, end_ms: end });
}

const NEAR_MS = 1000; // a playhead farther off was not put there for this split

/** The shortest cue that can be made by moving an edge: a frame at 25 a second. */
export const MIN_MS = 40;

/** Give a cue a speaker, by label; null for none. */
export function respeak(draft, id, speaker) {
  const cue = draft.cue(id);
  return cue ? turn(id, cue, { ...cue, speaker: speaker || null }) : [];
}

/** Give the speakers with these labels a name. A name that another speaker has merges them with that one. */
export function renameSpeakers(draft, labels, name) {
  return labels.flatMap((label) => turn(`speaker/${label}`, draft.item(`speaker/${label}`), { name }));
}

/** Settle a doubt as right, or take that back. */
export function settle(draft, doubt, isRight) {
  const id = `doubt/${doubt.id}`;
  return turn(id, draft.item(id), isRight ? { right: true } : null);
}

/** Delete a cue. */
export function remove(draft, id) {
  const cue = draft.cue(id);
  return cue ? [{ id, before: cue, after: null }] : [];
}

/** Add a cue. */
export function insert(draft, cue) {
  return [{ id: newId(draft.track), before: null, after: { speaker: null, italic: false, ...cue } }];
}

/**
 * Split a cue before the character at `offset` of its text. The second part begins when its first word is heard, or at
 * the playhead, `timeMs`, where that is near. The first part keeps the id.
 */
export function split(draft, id, offset, timeMs, words) {
  const cue = draft.cue(id);
  const text = cue?.lines.join("\n") ?? "";
  const [head, tail] = [asLines(text.slice(0, offset)), asLines(text.slice(offset))];
  if (!head.length || !tail.length || cue.end_ms - cue.start_ms < 2 * MIN_MS) return [];
  const atWord = edgeAt(cue, text, offset, words);
  const isNear = timeMs !== null && Math.abs(timeMs - atWord) <= NEAR_MS;
  const isInside = isNear && timeMs >= cue.start_ms + MIN_MS && timeMs <= cue.end_ms - MIN_MS;
  const edge = Math.round(isInside ? timeMs : atWord);
  const common = { ...cue, spans: [], spoken: null };
  return [
    { id, before: cue, after: { ...common, end_ms: edge, lines: head } },
    { id: newId(draft.track), before: null, after: { ...common, start_ms: edge, lines: tail } },
  ];
}

function edgeAt(cue, text, offset, words) {
  const timed = tokens(cue, words).find((token) => token.start >= offset);
  const share = cue.start_ms + ((cue.end_ms - cue.start_ms) * offset) / text.length;
  const edge = timed?.startMs ?? share;
  return Math.min(Math.max(edge, cue.start_ms + MIN_MS), cue.end_ms - MIN_MS);
}

/** Merge a cue with the one after it. The lines are put together to as many as `lines` allow. */
export function merge(draft, id, lines) {
  const place = draft.place(id);
  const nextId = place < 0 ? null : draft.at(place + 1);
  if (!nextId) return [];
  const [cue, next] = [draft.cue(id), draft.cue(nextId)];
  const all = [...cue.lines, ...next.lines];
  const merged = {
    ...cue,
    end_ms: Math.max(cue.end_ms, next.end_ms),
    lines: all.length <= lines ? all : balanced(all.join(" "), lines),
    spans: [],
    spoken: cue.spoken && next.spoken ? { start_ms: cue.spoken.start_ms, end_ms: next.spoken.end_ms } : null,
  };
  return [{ id: nextId, before: next, after: null }, { id, before: cue, after: merged }];
}

/** Return a text in lines of about the same length, broken at blanks. */
export function balanced(text, lines) {
  const found = [];
  let rest = text.trim();
  for (let left = lines; left > 1 && rest.includes(" "); left -= 1) {
    const aim = rest.length / left;
    const blanks = [...rest.matchAll(/ /g)].map((match) => match.index);
    const cut = blanks.reduce((best, one) => (Math.abs(one - aim) < Math.abs(best - aim) ? one : best));
    found.push(rest.slice(0, cut));
    rest = rest.slice(cut + 1);
  }
  return [...found, rest].filter(Boolean);
}

/** Replace each match of a pattern in the cues' texts. `pattern` has the flag `g`; `only` limits it to some ids. */
export function replaceAll(draft, pattern, replacement, only = null) {
  return [...draft].flatMap(([id, cue]) => {
    if (only && !only.has(id)) return [];
    const text = cue.lines.join("\n");
    pattern.lastIndex = 0;
    return pattern.test(text) ? retext(draft, id, text.replace(pattern, () => replacement)) : [];
  });
}

/** Return the pattern that finds a text: literally, as whole words where asked. */
export function patternFor(text, { wholeWords = false, matchCase = false } = {}) {
  const literal = text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
  // `\b` knows the letters of English only.
  const bounded = wholeWords ? `(?<![\\p{L}\\p{N}_])${literal}(?![\\p{L}\\p{N}_])` : literal;
  return new RegExp(bounded.replace(/ /g, "\\s+"), matchCase ? "gu" : "giu");
}

/**
 * Measures cues against the limits of a subtitling guide, as the layout and `reel check` do. Pure.
 *
 * `limits` are those of the document: line_length, lines, reading_speed, min_duration_ms, max_duration_ms, gap_ms,
 * chain_below_ms, shot_zone_ms.
 */

import { places } from "./text_width.js";

/** Return the places of a cue in all, from which its reading time is computed. */
export function placesOf(cue) {
  return cue.lines.reduce((sum, line) => sum + places(line), 0);
}

/** Return how many places a second a cue asks a reader for. */
export function readingSpeed(cue) {
  return (placesOf(cue) * 1000) / Math.max(cue.end_ms - cue.start_ms, 1);
}

/**
 * Return the rules that a cue breaks, as `{rule, found, limit, says}`. `next` is the cue after it in its place, or null;
 * `says` is a sentence.
 */
export function brokenRules(cue, next, limits) {
  return [...textRules(cue, limits), ...timeRules(cue, limits), ...gapRules(cue, next, limits)];
}

function* textRules(cue, limits) {
  const longest = Math.max(0, ...cue.lines.map(places));
  if (longest > limits.line_length) {
    yield broken("line-length", longest, limits.line_length, `a line has ${longest} places, at most ${limits.line_length}`);
  }
  if (cue.lines.length > limits.lines) {
    yield broken("lines", cue.lines.length, limits.lines, `${cue.lines.length} lines, at most ${limits.lines}`);
  }
  if (!cue.lines.some((line) => line.trim())) yield broken("empty", 0, 1, "no text");
}

function* timeRules(cue, limits) {
  const length = cue.end_ms - cue.start_ms;
  const count = placesOf(cue);
  if (count && length < Math.ceil((count * 1000) / limits.reading_speed)) {
    const speed = readingSpeed(cue);
    const says = `${speed.toFixed(1)} places a second, at most ${limits.reading_speed}`;
    yield broken("reading-speed", speed, limits.reading_speed, says);
  }
  if (length < limits.min_duration_ms) {
    yield broken("min-duration", length, limits.min_duration_ms, `${length} ms long, at least ${limits.min_duration_ms}`);
  }
  if (length > limits.max_duration_ms) {
    yield broken("max-duration", length, limits.max_duration_ms, `${length} ms long, at most ${limits.max_duration_ms}`);
  }
}

function* gapRules(cue, next, limits) {
  if (!next) return;
  const gap = next.start_ms - cue.end_ms;
  if (gap < 0) yield broken("overlap", -gap, 0, `stays ${-gap} ms after the next cue begins`);
  else if (gap < limits.gap_ms) {
    yield broken("gap", gap, limits.gap_ms, `${gap} ms to the next cue, at least ${limits.gap_ms}`);
  }
}

function broken(rule, found, limit, says) {
  return { rule, found, limit, says };
}

/** Return the cue after this one in its place: one at the head of the picture is not in the way of one at the foot. */
export function following(draft, place) {
  const cue = draft.cue(draft.at(place));
  if (cue.place?.at) return null;
  for (let index = place + 1; index < draft.size; index += 1) {
    const other = draft.cue(draft.at(index));
    if (!other.place?.at && (other.place?.anchor ?? 2) === (cue.place?.anchor ?? 2)) return other;
    if (index - place > LOOK_AHEAD) return null;
  }
  return null;
}

const LOOK_AHEAD = 50;

/** Return a time moved to the nearest shot change within the guide's zone, or the time itself. */
export function snapped(timeMs, shots, zoneMs) {
  let low = 0;
  let high = shots.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (shots[middle] < timeMs) low = middle + 1;
    else high = middle;
  }
  const near = [shots[low - 1], shots[low]].filter((shot) => Math.abs(shot - timeMs) <= zoneMs);
  return near.length ? near.reduce((best, one) => (Math.abs(one - timeMs) < Math.abs(best - timeMs) ? one : best)) : timeMs;
}

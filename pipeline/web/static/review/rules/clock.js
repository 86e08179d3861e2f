/** Writes and reads times as people do. Pure. */

/** Return a time as `1:02:03.456`, without hours where they are 0. */
export function clock(timeMs) {
  const ms = Math.max(0, Math.round(timeMs));
  const [hours, minutes, seconds] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60, Math.floor(ms / 1000) % 60];
  const rest = `${two(seconds)}.${String(ms % 1000).padStart(3, "0")}`;
  return hours ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
}

/** Return a time as `1:02:03` or `2:03`, for places where milliseconds are noise. */
export function shortClock(timeMs) {
  return clock(Math.floor(timeMs / 1000) * 1000).slice(0, -4);
}

/** Return the milliseconds of a time that a person typed: `83.5`, `1:23,5`, `1:02:03.456`; null if it is not a time. */
export function parseClock(text) {
  const parts = text.trim().replace(",", ".").split(":");
  if (parts.length > 3 || !parts.every((part, place) => pattern(place === parts.length - 1).test(part))) return null;
  return Math.round(parts.reduce((sum, part) => sum * 60 + Number(part), 0) * 1000);
}

function pattern(isLast) {
  return isLast ? /^\d+(\.\d{1,3})?$/ : /^\d+$/;
}

function two(number) {
  return String(number).padStart(2, "0");
}

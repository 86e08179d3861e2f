/** Counts the places that a text takes on a screen, by the rules of `shared/text/text_width.py`. Pure. */

const NO_PLACE = /[\p{Mn}\p{Me}\p{Cf}\p{Cc}\u1160-\u11ff\ud7b0-\ud7fb]/u;
const WIDE = new RegExp(
  "[\u1100-\u115f\u231a\u231b\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97c" +
  "\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]", "u",
);
const PICTURE_PARTS = /\u200d\p{Extended_Pictographic}|(?<=\p{Extended_Pictographic})[\u{1f3fb}-\u{1f3ff}]/gu;
const WIDENED = /(?<=[#*0-9\u00a9\u00ae\u203c-\u3299])\ufe0f/g;

/** Return how many places a line takes: two for a wide character, none for a mark. */
export function places(text) {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let count = (text.match(WIDENED) ?? []).length;
  for (const letter of text.replace(PICTURE_PARTS, "")) {
    if (NO_PLACE.test(letter)) continue;
    count += WIDE.test(letter) ? 2 : 1;
  }
  return count;
}

/**
 * Puts the recogniser's words on a cue's text as it is now. A word that was corrected is found no longer, so the text
 * that stands in its place has no probability; its time lies between those of its neighbours. Pure.
 */

export const SURE = 0.75; // a word at least as likely is shown plain
export const DOUBTFUL = 0.5; // a word less likely is underlined with a wave

const SPACELESS = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}]/u;
const EDGES = /^[^\p{L}\p{N}\p{M}]+|[^\p{L}\p{N}\p{M}]+$/gu;

/** Return the words that are heard during a cue, from the words of the transcript in order of time. */
export function wordsOf(cue, words) {
  const { start_ms: start, end_ms: end } = cue.spoken ?? cue;
  const found = [];
  for (let place = firstEndingAfter(words, start); place < words.length; place += 1) {
    const word = words[place];
    if (word.start_ms >= end) break;
    if ((word.start_ms + word.end_ms) / 2 >= start && (word.start_ms + word.end_ms) / 2 < end) found.push(word);
  }
  return found;
}

function firstEndingAfter(words, timeMs) {
  let low = 0;
  let high = words.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (words[middle].end_ms > timeMs) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Return where the parts of a text stand that are counted as words: `{start, end, text}`. */
export function partsOf(text) {
  const parts = [...text.matchAll(/\S+/g)].map((match) => ({ start: match.index, text: match[0] }));
  return parts.flatMap(({ start, text: part }) => {
    if (!SPACELESS.test(part)) return [{ start, end: start + part.length, text: part }];
    let place = start;
    return [...part].map((letter) => {
      place += letter.length;
      return { start: place - letter.length, end: place, text: letter };
    });
  });
}

/** Return where the letters of a token stand, without the punctuation around them. */
export function lettersOf({ start, end, text }) {
  const head = text.match(/^[^\p{L}\p{N}\p{M}]*/u)[0].length;
  const tail = text.match(/[^\p{L}\p{N}\p{M}]*$/u)[0].length;
  return head === text.length ? { start, end } : { start: start + head, end: end - tail };
}

/** Return a word without what stands around its letters, for comparing. */
export function bare(text) {
  return text.replace(EDGES, "").toLowerCase();
}

/**
 * Return the tokens of a cue's text: `{start, end, text, startMs, endMs, probability, speaker}`. `probability` is null for text
 * that no word of the transcript stands for.
 */
export function tokens(cue, words) {
  const parts = partsOf(cue.lines.join("\n"));
  const spoken = wordsOf(cue, words).flatMap(lettersApart);
  let next = 0;
  const found = parts.map((part) => {
    const place = spoken.findIndex((word, index) => index >= next && bare(word.text) === bare(part.text));
    // A match far ahead is another occurrence of a common word: skipping that many would lose those between.
    if (place < 0 || place - next > MAX_SKIPPED) return { ...part, ...UNHEARD };
    next = place + 1;
    const { start_ms: startMs, end_ms: endMs, probability, speaker } = spoken[place];
    return { ...part, startMs, endMs, probability, speaker };
  });
  return withTimes(found, cue);
}

const MAX_SKIPPED = 4;
const UNHEARD = { startMs: null, endMs: null, probability: null, speaker: null };

function lettersApart(word) {
  if (!SPACELESS.test(word.text)) return [word];
  const letters = [...word.text];
  const step = (word.end_ms - word.start_ms) / letters.length;
  return letters.map((text, index) => ({
    ...word, text,
    start_ms: Math.round(word.start_ms + index * step),
    end_ms: Math.round(word.start_ms + (index + 1) * step),
  }));
}

/** Give the tokens without times those between their neighbours. */
function withTimes(found, cue) {
  const { start_ms: first, end_ms: last } = cue.spoken ?? cue;
  for (let place = 0; place < found.length; place += 1) {
    if (found[place].startMs !== null) continue;
    let end = place;
    while (end < found.length && found[end].startMs === null) end += 1;
    const from = place ? found[place - 1].endMs : first;
    const to = end < found.length ? Math.max(found[end].startMs, from) : Math.max(last, from);
    const step = (to - from) / (end - place);
    for (let index = place; index < end; index += 1) {
      found[index].startMs = Math.round(from + (index - place) * step);
      found[index].endMs = Math.round(from + (index - place + 1) * step);
    }
  }
  return found;
}

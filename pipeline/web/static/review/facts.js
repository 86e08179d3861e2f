/**
 * Turns the server's document into what the page works with: the facts of a media file, which do not change while it is
 * reviewed, and the draft, which does.
 */

import { Draft } from "./rules/draft.js";

/** Return the facts of a document. `href` turns a link of the document into an address. */
export function factsOf(document_, href) {
  const { tracks } = document_;
  const spoken = tracks.find((track) => track.spoken) ?? null;
  const shared = {
    id: document_.id, name: document_.name, durationMs: document_.duration_ms, tracks,
    spokenTrack: spoken?.id ?? null, sourceLanguage: spoken?.language ?? document_.language,
    shots: document_.shots, removed: document_.removed,
    heard: document_.words.map(([text, start_ms, end_ms, probability, , speaker]) => ({
      text, start_ms, end_ms, probability, speaker,
    })),
    turns: document_.speakers.flatMap(({ id, turns }) => turns.map(([start_ms, end_ms]) => ({ start_ms, end_ms, speaker: id }))),
    published: publishedOf(document_),
    over: new Map(document_.cues.map((one) => [one.id, one.over])),
    stale: new Map(document_.cues.filter((one) => one.source_changed).map((one) => [one.id, one.source_changed])),
    allDoubts: document_.doubts, glossary: document_.glossary, sound: document_.sound && href(document_.sound.href),
    peaks: document_.peaks && href(document_.peaks.href), picture: pictureOf(document_.picture, href),
  };
  const ofTrack = (id) => {
    const track = tracks.find((one) => one.id === id);
    return {
      ...shared, ofTrack, track, language: track.language, limits: track.limits,
      words: track.spoken ? shared.heard : [],
      doubts: shared.allDoubts.filter((one) => isOfTrack(one, track)),
    };
  };
  return ofTrack((spoken ?? tracks[0]).id);
}

/** Tell whether a doubt is one of a track's: of its cues, or of the sound for the track that is spoken. */
function isOfTrack(doubt, track) {
  return doubt.cues.length ? doubt.cues.some((id) => id.startsWith(`${track.id}/`)) : track.spoken;
}

/** Return the draft of a document, with the cues of a track in order. */
export function draftOf(document_, track) {
  const items = document_.cues.map(({ id, cue }) => [id, cue]);
  const names = document_.speakers.map(({ id, name }) => [`speaker/${id}`, { name }]);
  const right = document_.doubts.filter((one) => one.right).map(({ id }) => [`doubt/${id}`, { right: true }]);
  return new Draft([...items, ...names, ...right], track);
}

/** Return the cues as they are published, by id: what the draft took away among them. */
function publishedOf(document_) {
  const now = document_.cues.filter((one) => one.was !== false).map((one) => [one.id, one.was ?? one.cue]);
  return new Map([...now, ...document_.removed_cues.map((one) => [one.id, one.was])]);
}

/** Return how the picture can be shown: `films` in the order in which they are tried, and stills. */
function pictureOf(picture, href) {
  const { stills, proxy } = picture;
  const films = isPlayable(picture) ? [{ url: href(picture.href), offsetMs: picture.start_ms ?? 0 }] : [];
  if (proxy) films.push({ url: href(proxy.href), offsetMs: 0 });
  const times = stills ? Array.from({ length: stills.count }, (_, number) => number * stills.every_ms) : [];
  return {
    films, why: picture.why ?? null, canBeCopied: picture.tier !== "none" && !proxy,
    stills: { times, url: (number) => href(stills.href.replace("{n}", number)) },
  };
}

/** Tell whether this browser says that it can play the film. It may still show nothing: see `picture.js`. */
function isPlayable({ tier, type, codecs }) {
  if (tier !== "original") return false;
  const asked = codecs ? `${type}; codecs="${codecs}"` : type;
  return document.createElement("video").canPlayType(asked) !== "";
}

/**
 * Holds what the parts of the page share: the facts of the media file, the draft, the chosen cue, and whether this tab
 * may write. Parts change it by its methods and hear of changes by its events.
 *
 * Events: `draft` (`{ids}`: the items that changed), `selected` (`{id, before, reason}`), `track` (another is shown),
 * `mode` (may this tab write).
 */

import { isSame } from "./rules/draft.js";
import { brokenRules, following } from "./rules/limits.js";
import { tokens } from "./rules/words.js";

/** The state of one review. */
export class Session extends EventTarget {
  #speakers = null;

  /** @param {object} facts see `facts.js`; @param {import("./draft.js").Draft} draft the items as they are now */
  constructor(facts, draft) {
    super();
    this.facts = facts;
    this.draft = draft;
    this.selected = draft.at(0);
    this.isReadOnly = false;
    /** Called with the operations of each change; the saver sets it. */
    this.save = () => {};
  }

  /** Return the chosen cue, or null. */
  get cue() {
    return this.selected ? this.draft.cue(this.selected) : null;
  }

  /** Return the speakers by their first appearance: `{name, labels}`. Labels with one name are one speaker. */
  get speakers() {
    this.#speakers ??= this.#findSpeakers();
    return this.#speakers;
  }

  /** Return the name of the speaker with a label, "" for none. */
  nameOf(label) {
    return label ? (this.draft.item(`speaker/${label}`)?.name ?? label) : "";
  }

  /** Return the place of a label's speaker among all, from 0. */
  speakerPlace(label) {
    return this.speakers.findIndex((speaker) => speaker.labels.includes(label));
  }

  /** Return the rules that a cue breaks, each with the layout's `reason` while the cue is as it was laid out. */
  broken(id) {
    const next = following(this.draft, this.draft.place(id));
    const published = this.isChanged(id) ? [] : (this.facts.over.get(id) ?? []);
    return brokenRules(this.draft.cue(id), next, this.facts.limits).map((one) => ({
      ...one, reason: published.find((other) => other.rule === one.rule)?.reason ?? null,
    }));
  }

  /** Return the rules that a cue breaks and kept when it was published. */
  newlyBroken(id) {
    const before = this.facts.published.get(id);
    const next = following(this.draft, this.draft.place(id));
    const old = before ? brokenRules(before, next, this.facts.limits).map((one) => one.rule) : [];
    return this.broken(id).filter((one) => !old.includes(one.rule));
  }

  /** Tell whether a cue differs from the published one. */
  isChanged(id) {
    return !isSame(this.draft.cue(id), this.facts.published.get(id) ?? null);
  }

  /** Return the tokens of a cue's text with times and probabilities; none of a translation, which is not heard. */
  tokens(id) {
    return tokens(this.draft.cue(id), this.facts.words);
  }

  /** Tell whether a person said that what is heard from one time to another is right. */
  isSettled(startMs, endMs) {
    return this.facts.doubts.some((doubt) => (
      doubt.start_ms < endMs && doubt.end_ms > startMs && this.draft.item(`doubt/${doubt.id}`)?.right
    ));
  }

  /** Return the text that the cue of a translation stands for, and whether that changed since; null in the original. */
  original(id) {
    const { spokenTrack, stale } = this.facts;
    if (!spokenTrack || spokenTrack === this.draft.track) return null;
    const cue = this.draft.cue(id);
    const ids = this.#spokenNear(cue).filter(([, one]) => overlapMs(one, cue) > Math.min(lengthMs(one), lengthMs(cue)) / 3);
    return {
      text: ids.map(([, one]) => one.lines.join(" ")).join(" "),
      isStale: stale.has(id) || ids.some(([one]) => this.isChanged(one)),
      why: stale.get(id) ?? "the original was corrected after this was translated",
    };
  }

  /** Make a change: apply it and save it. Returns whether something changed. */
  change(operations) {
    if (!operations.length || this.isReadOnly) return false;
    this.draft.apply(operations);
    this.save(operations);
    this.#tell(operations);
    return true;
  }

  /** Take another draft, which the saver has made from what others saved. */
  replaceDraft(draft, operations) {
    this.draft = draft;
    this.#tell(operations);
  }

  /** Show the cues of another track. */
  showTrack(track) {
    const timeMs = this.cue?.start_ms ?? 0;
    this.facts = this.facts.ofTrack(track);
    this.draft = this.draft.copy(track);
    this.selected = this.draft.size ? this.draft.idAt(timeMs) : null;
    this.#tell([]);
    this.dispatchEvent(new Event("track"));
  }

  /** Choose a cue. `reason` says who did, so that a part knows its own. */
  select(id, reason = "") {
    if (!id || !this.draft.cue(id)) return;
    const before = this.selected;
    this.selected = id;
    this.dispatchEvent(new CustomEvent("selected", { detail: { id, before, reason } }));
  }

  /** Choose the cue that is so many places away. */
  step(places) {
    const place = Math.min(Math.max(this.draft.place(this.selected) + places, 0), this.draft.size - 1);
    this.select(this.draft.at(place), "step");
  }

  /** Say whether this tab may write. */
  setReadOnly(isReadOnly) {
    if (this.isReadOnly === isReadOnly) return;
    this.isReadOnly = isReadOnly;
    this.dispatchEvent(new CustomEvent("mode"));
  }

  #tell(operations) {
    this.#speakers = this.#spokenCues = null;
    if (!this.draft.cue(this.selected)) this.selected = this.#nearest(operations);
    this.dispatchEvent(new CustomEvent("draft", { detail: { ids: new Set(operations.map((one) => one.id)) } }));
  }

  /** Return the cue at the time of the chosen one, which these operations deleted. */
  #nearest(operations) {
    const gone = operations.find((one) => one.id === this.selected)?.before;
    return this.draft.size ? this.draft.idAt(gone?.start_ms ?? 0) : null;
  }

  #findSpeakers() {
    const labels = [...new Set([...this.draft].map(([, cue]) => cue.speaker).filter(Boolean))];
    const named = Map.groupBy(labels, (label) => this.nameOf(label));
    return [...named].map(([name, group]) => ({ name, labels: group }));
  }

  #spokenCues = null;

  /** Return the cues of the spoken track that may overlap a cue. */
  #spokenNear(cue) {
    const { spokenTrack } = this.facts;
    this.#spokenCues ??= this.draft.copy(spokenTrack);
    const found = [];
    let place = Math.max(0, this.#spokenCues.firstAfter(cue.start_ms) - 2);
    for (; place < this.#spokenCues.size; place += 1) {
      const id = this.#spokenCues.at(place);
      if (this.#spokenCues.cue(id).start_ms >= cue.end_ms) break;
      found.push([id, this.#spokenCues.cue(id)]);
    }
    return found;
  }
}

function lengthMs(cue) {
  return cue.end_ms - cue.start_ms;
}

function overlapMs(one, other) {
  return Math.min(one.end_ms, other.end_ms) - Math.max(one.start_ms, other.start_ms);
}

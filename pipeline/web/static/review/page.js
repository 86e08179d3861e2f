/** Builds the review page from its parts, and leads keys and presses to commands. */

import { commandsOf } from "./commands.js";
import { watch } from "./dialogs/apply.js";
import { openConflicts } from "./dialogs/conflicts.js";
import { isDialogOpen, tell } from "./dialogs/dialogs.js";
import { Editor } from "./editor.js";
import { byId, element } from "./elements.js";
import { draftOf, factsOf } from "./facts.js";
import { commandOf } from "./keys.js";
import { CueList } from "./list/cue_list.js";
import { retext, retime } from "./rules/changes.js";
import { clock } from "./rules/clock.js";
import { isSame } from "./rules/draft.js";
import { Outbox } from "./saving/outbox.js";
import { ReviewApi } from "./saving/review_api.js";
import { Saver } from "./saving/saver.js";
import { lockTab } from "./saving/tab_lock.js";
import { offerCopy } from "./screen/copy_offer.js";
import { Picture } from "./screen/picture.js";
import { Player } from "./screen/player.js";
import { SubtitleOverlay } from "./screen/subtitle_overlay.js";
import { Session } from "./session.js";
import { showReadOnly, showSaving } from "./status.js";
import { Walk } from "./walk.js";
import { Peaks } from "./waves/peaks.js";
import { WaveCanvas } from "./waves/wave_canvas.js";

const BUTTONS = {
  play: "play", back: "back", forward: "forward", hear: "hearCue", undo: "undo", redo: "redo", "find-open": "find", "speakers-open": "speakers", "keys-open": "help", apply: "apply",
  split: "split", merge: "merge", insert: "insert", remove: "remove", "zoom-in": "zoomIn", "zoom-out": "zoomOut",
  "insert-first": "insert", fix: "fixEverywhere",
};

/** Load the media file that the address names, and show it. */
async function open() {
  const api = new ReviewApi(decodeURIComponent(location.pathname.split("/").at(-1)));
  let document_;
  try {
    document_ = await api.document();
  } catch (error) {
    return showFailure(error);
  }
  const facts = factsOf(document_, (link) => api.href(link));
  const session = new Session(facts, draftOf(document_, facts.track.id));
  const outbox = await Outbox.open(document_.id);
  const saver = new Saver(api, outbox, session, document_);
  const parts = { api, session, saver, outbox, ...partsOf(session, outbox), onApplied: () => location.reload() };
  connect(parts);
  offerCopy(api, parts.picture, byId("make-copy"));
  rememberPlace(parts);
  await takeUp(parts);
  goToAddressedTime(parts);
  addEventListener("hashchange", () => goToAddressedTime(parts));
  loadPeaks(parts);
  byId("panes").removeAttribute("aria-busy");
  byId("list").focus();
  if (document_.apply.state === "queued" || document_.apply.state === "running") watch(api, document_.apply.job, parts.onApplied);
  if (document_.newer) tell("The files were made again since this draft began. It still applies.");
}

/** Show why the page cannot show a media file. */
function showFailure(error) {
  for (const part of ["saved", "actions"]) byId(part).hidden = true;
  byId("panes").replaceWith(element("main", { class: "empty message" },
    element("h2", { text: error.status === 404 ? "There is no such film here" : "This film cannot be shown" }),
    element("p", { dir: "auto", text: error.status === 404 ? "Its results were moved or deleted." : error.message }),
    error.hint && error.status !== 404 ? element("p", { class: "soft", dir: "auto", text: error.hint }) : null,
    element("a", { class: "button", href: "../", text: "Go to the queue" })));
}

function partsOf(session, outbox) {
  const player = new Player(byId("sound"));
  if (session.facts.sound) byId("sound").src = session.facts.sound;
  const screen = { video: byId("video"), still: byId("still"), words: byId("no-picture") };
  const editor = new Editor(session, outbox);
  return {
    player, editor, picture: new Picture(player, screen, session.facts.picture),
    overlay: new SubtitleOverlay(session, byId("overlay")), list: new CueList(session, byId("list")),
    wave: new WaveCanvas(session, byId("wave"), byId("minimap")), walk: new Walk(session, player, editor),
  };
}

/** Lead the events of each part to the others. */
function connect(parts) {
  const { session, saver, player, editor, overlay, list, wave, walk } = parts;
  const commands = commandsOf(parts);
  const showTime = () => {
    byId("now").textContent = clock(player.timeMs);
    wave.movePlayhead(player.timeMs, player.isPlaying);
    overlay.show(player.timeMs, editor.typed);
  };
  player.addEventListener("time", () => {
    showTime();
    // While it is listened to, the chosen cue is the one that is heard.
    const id = player.isPlayingOn && !walk.doubt && !editor.isFocused ? session.draft.idAt(player.timeMs) : session.selected;
    if (id !== session.selected) session.select(id, "heard");
  });
  player.addEventListener("state", () => showPlaying(player));
  player.addEventListener("failed", () => tell("The sound cannot be played. Is the server still running?", { state: "bad" }));
  editor.addEventListener("typed", showTime);
  session.addEventListener("draft", () => { wave.redraw(); showTime(); });
  session.addEventListener("selected", ({ detail: { id, reason } }) => {
    wave.reveal(id);
    if (reason === "list") player.seek(session.cue.start_ms);
  });
  wave.addEventListener("seek", ({ detail: { timeMs } }) => player.seek(timeMs));
  wave.addEventListener("pick", ({ detail: { id } }) => session.select(id, "wave"));
  wave.addEventListener("retime", ({ detail: { id, ...edges } }) => {
    session.change(retime(session.draft, id, edges));
    session.select(id, "wave");
  });
  list.addEventListener("open", () => editor.focus());
  walk.addEventListener("fix", () => commands.fixEverywhere());
  saver.addEventListener("conflicts", ({ detail: { conflicts } }) => openConflicts(session, conflicts));
  saver.addEventListener("reload", () => location.reload());
  showSaving(saver);
  for (const [id, name] of Object.entries(BUTTONS)) byId(id).addEventListener("click", () => commands[name]());
  byId("rate").addEventListener("change", () => (player.rate = Number(byId("rate").value)));
  byId("title").textContent = session.facts.name;
  document.title = `${session.facts.name} · reel`;
  offerTracks(session, editor);
  listenToKeys(commands);
  showTime();
}

function showPlaying(player) {
  byId("play").classList.toggle("playing", player.isPlaying);
  byId("play").setAttribute("aria-label", player.isPlaying ? "Stop" : "Play");
  const rate = byId("rate");
  if (![...rate.options].some((one) => Number(one.value) === player.rate)) rate.append(element("option", { value: player.rate, text: `${player.rate}×` }));
  rate.value = player.rate;
}

function offerTracks(session, editor) {
  const select = byId("track");
  const names = new Intl.DisplayNames(["en"], { type: "language", fallback: "code" });
  select.append(...session.facts.tracks.map((track) => element("option", {
    value: track.id, selected: track.id === session.facts.track.id,
    text: `${names.of(track.language)}${track.spoken ? "" : " (translation)"}${track.kind === "full" ? "" : `, ${track.kind}`}`,
  })));
  select.hidden = session.facts.tracks.length < 2;
  select.addEventListener("change", () => {
    editor.commit();
    session.showTrack(select.value);
  });
  session.addEventListener("track", () => (select.value = session.draft.track));
}

function listenToKeys(commands) {
  addEventListener("keydown", (event) => {
    if (isDialogOpen() || event.defaultPrevented) return;
    const { target } = event;
    const isTyping = target.id === "edit-text";
    if (!isTyping && target.matches("input, select") && !event.altKey && !event.ctrlKey) return;
    if (!isTyping && target.matches("button, a") && (event.code === "Space" || event.code === "Enter") && !event.ctrlKey) return;
    const command = commandOf(event, isTyping);
    if (!command || !commands[command]) return;
    event.preventDefault();
    commands[command]();
  });
}

/** Go where the last visit ended, and note where this one is. */
function rememberPlace({ session, player }) {
  const key = `reel-review-${session.facts.id}`;
  const [track, id] = JSON.parse(localStorage.getItem(key) ?? "[]");
  if (track !== session.draft.track && session.facts.tracks.some((one) => one.id === track)) {
    session.showTrack(track);
  }
  if (session.draft.cue(id)) {
    session.select(id);
    player.seek(session.cue.start_ms);
  }
  session.addEventListener("selected", ({ detail }) => localStorage.setItem(key, JSON.stringify([session.draft.track, detail.id])));
}

/**
 * Go to the time that the address names: a report's links end with `#t=` and seconds. It leaves the address, so that a
 * reload comes back to where the person is by then.
 */
function goToAddressedTime({ session, player }) {
  const [, seconds] = /^#t=(\d+(?:\.\d+)?)$/.exec(location.hash) ?? [];
  if (!seconds) return;
  history.replaceState(null, "", location.pathname);
  const timeMs = Math.min(Math.round(Number(seconds) * 1000), session.facts.durationMs);
  session.select(session.draft.idAt(timeMs), "address");
  player.seek(timeMs);
}

/** Take up what an earlier page could not save, and ask for the right to write. */
async function takeUp({ session, saver, outbox }) {
  const takeOver = lockTab(`reel-review-${session.facts.id}`, () => {
    session.setReadOnly(false);
    showReadOnly(false);
  }, () => {
    session.setReadOnly(true);
    showReadOnly(true, () => takeOver());
  });
  await saver.takeUp();
  const typed = await outbox.typed();
  if (!typed) return;
  if (isSame(session.draft.cue(typed.id), typed.before)) session.change(retext(session.draft, typed.id, typed.text));
  session.select(typed.id);
  await outbox.forgetTyped();
}

async function loadPeaks({ api, session, wave }) {
  if (!session.facts.peaks) return;
  try {
    const content = await api.peaks(session.facts.peaks);
    const head = new DataView(content);
    const [rate, samples] = [head.getInt32(8, true), head.getInt32(12, true)];
    wave.showPeaks(new Peaks(new Int8Array(content, 24), rate / samples));
  } catch {
    tell("The waveform cannot be shown; everything else works.");
  }
}

open();

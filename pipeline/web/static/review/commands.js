/** Does what a key or a button asks for. Each command is a short function over the parts of the page. */

import { applyDraft } from "./dialogs/apply.js";
import { tell } from "./dialogs/dialogs.js";
import { TermOffer } from "./dialogs/glossary.js";
import { openKeyHelp } from "./dialogs/key_help.js";
import { correctionOf, openReplace } from "./dialogs/replace.js";
import { giveTo, openSpeakers } from "./dialogs/speakers.js";
import { lettersOf } from "./rules/words.js";
import { insert, merge, remove, retime, split } from "./rules/changes.js";
import { snapped } from "./rules/limits.js";

const AROUND_MS = 500;
const SLOW = 0.75;
const FRAME_MS = 40;
const NEW_MS = 1500;
const PAGE_ROWS = 8;
const REACTION_MS = 300; // from hearing a word to pressing a key

/** Return the commands by name. `parts`: api, session, saver, player, editor, walk, wave, onApplied. */
export function commandsOf(parts) {
  return { ...hearing(parts), ...moving(parts), ...editing(parts), ...timing(parts), ...ofPage(parts) };
}

function hearing({ session, player, walk }) {
  const near = (edge, from, to) => () => {
    const at = session.cue?.[edge];
    if (at !== undefined) player.playSpan(Math.max(0, at + from), at + to);
  };
  const hearCue = (rate) => () => {
    if (walk.doubt) walk.hear(rate);
    else if (session.cue) player.playSpan(session.cue.start_ms, session.cue.end_ms, rate);
  };
  return {
    play: () => player.toggle(),
    back: () => player.seek(player.timeMs - 1000),
    forward: () => player.seek(player.timeMs + 1000),
    slower: () => (player.rate -= 0.25),
    faster: () => (player.rate += 0.25),
    hearCue: hearCue(1), hearSlowly: hearCue(SLOW),
    hearBeforeStart: near("start_ms", -AROUND_MS, 0), hearAfterStart: near("start_ms", 0, AROUND_MS),
    hearBeforeEnd: near("end_ms", -AROUND_MS, 0), hearAfterEnd: near("end_ms", 0, AROUND_MS),
  };
}

function moving({ session, player, editor, walk }) {
  let wasListening = false; // the text was opened while the sound played on and on
  const listenOn = () => {
    editor.leave();
    player.playFrom(session.cue.start_ms);
  };
  const by = (places) => () => {
    session.step(places);
    if (session.cue && !player.isPlaying) player.seek(session.cue.start_ms);
  };
  return {
    previousCue: by(-1), nextCue: by(1), pageUp: by(-PAGE_ROWS), pageDown: by(PAGE_ROWS),
    firstCue: () => by(-session.draft.size)(), lastCue: () => by(session.draft.size)(),
    edit: () => {
      wasListening = player.isPlayingOn;
      if (!wasListening) return editor.focus();
      const heardMs = player.timeMs - REACTION_MS;
      player.pause();
      session.select(session.draft.idAt(heardMs), "heard");
      const token = session.tokens(session.selected).findLast((one) => one.startMs <= heardMs);
      editor.focus(token ? lettersOf(token) : null);
    },
    leave: () => editor.leave(),
    newLine: () => editor.newLine(),
    commit: () => {
      const isWalking = walk.doubt !== null;
      editor.commit();
      if (isWalking) return walk.next();
      session.step(1);
      if (wasListening) listenOn();
      else if (session.cue) {
        player.playSpan(session.cue.start_ms, session.cue.end_ms);
        editor.focus();
      }
    },
    nextDoubt: () => walk.next(), previousDoubt: () => walk.next(-1), right: () => walk.right(),
  };
}

function editing(parts) {
  const { session, player, editor, walk } = parts;
  const speakers = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((number) => [`speaker${number}`, () => giveTo(session, number)]);
  return {
    ...Object.fromEntries(speakers),
    split: () => {
      const cursor = editor.cursor;
      editor.commit();
      const at = player.timeMs;
      const operations = session.cue ? split(session.draft, session.selected, cursor, at, session.facts.words) : [];
      if (!session.change(operations)) return tell("Put the cursor where the second part begins.");
      session.select(operations[1].id);
    },
    merge: () => {
      editor.commit();
      const operations = merge(session.draft, session.selected, session.facts.limits.lines);
      if (!session.change(operations)) tell("There is no cue after this one.");
    },
    insert: () => {
      if (walk.doubt?.kind === "removed") return walk.putBack();
      editor.commit();
      const start = Math.round(player.timeMs);
      const next = session.draft.cue(session.draft.at(session.draft.firstAfter(start)));
      const end = Math.max(start + FRAME_MS, Math.min(start + NEW_MS, next?.start_ms ?? Infinity));
      const operations = insert(session.draft, { start_ms: start, end_ms: end, lines: ["…"], speaker: session.cue?.speaker ?? null });
      if (!session.change(operations)) return;
      session.select(operations[0].id);
      editor.focus({ start: 0, end: 1 });
    },
    remove: () => {
      if (session.change(remove(session.draft, session.selected))) tell("Deleted. Ctrl+Z takes it back.");
    },
    fixEverywhere: () => fixEverywhere(parts),
  };
}

/** Offer the newest correction for all other places of the same words, or what is typed now. */
function fixEverywhere({ api, session, editor }) {
  editor.commit();
  const newest = editor.newest && correctionOf(editor.newest.before, editor.newest.after);
  if (!newest) return tell("Correct a word first; Alt+G then corrects it everywhere.");
  const { glossary } = session.facts;
  openReplace(session, { ...newest, offer: glossary && new TermOffer(api, glossary) });
}

function timing({ session, player }) {
  const edge = (name) => () => {
    const zoneMs = Math.min(session.facts.limits.shot_zone_ms, AROUND_MS);
    const timeMs = snapped(Math.round(player.timeMs), session.facts.shots, zoneMs);
    if (!session.change(retime(session.draft, session.selected, { [name]: timeMs }))) {
      tell("The cue would end before it begins.", { state: "bad" });
    }
  };
  const shift = (ms) => () => {
    const cue = session.cue;
    if (cue) session.change(retime(session.draft, session.selected, { startMs: cue.start_ms + ms, endMs: cue.end_ms + ms }));
  };
  return { startHere: edge("startMs"), endHere: edge("endMs"), earlier: shift(-FRAME_MS), later: shift(FRAME_MS) };
}

function ofPage({ api, session, saver, player, editor, wave, onApplied }) {
  const turnBack = (name, nothing) => async () => {
    editor.commit();
    const ids = await saver[name]();
    if (!ids) return tell(saver.state === "offline" ? "Undo needs the server, which does not answer." : nothing);
    const id = ids.find((one) => session.draft.cue(one));
    if (!id) return;
    if (session.draft.place(id) < 0) session.showTrack(id.split("/")[0]);
    session.select(id, name);
  };
  return {
    undo: turnBack("undo", "Nothing to undo."), redo: turnBack("redo", "Nothing to do again."),
    find: () => {
      editor.commit();
      openReplace(session);
    },
    speakers: () => {
      editor.commit();
      openSpeakers(session, (id) => player.playSpan(session.draft.cue(id).start_ms, session.draft.cue(id).end_ms));
    },
    zoomIn: () => wave.zoom(true), zoomOut: () => wave.zoom(false),
    help: () => openKeyHelp(),
    apply: () => {
      editor.commit();
      applyDraft(api, saver, session, onApplied);
    },
  };
}

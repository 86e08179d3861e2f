/**
 * Knows the keys of the page: one table that the page obeys and that the help shows, and the keys that a person has
 * chosen instead, which the browser keeps.
 *
 * A key with `typing` works while text is typed too; no bare letter does. Keys go by their place on the keyboard
 * (`event.code`), since Alt with a letter makes other characters on many layouts.
 */

/** The keys: what is pressed, which command it gives, and what the help says. */
export const KEYS = [
  { group: "Hear", keys: ["Space"], command: "play", says: "play or stop" },
  { group: "Hear", keys: ["Ctrl+Space"], command: "play", typing: true, says: "play or stop while typing" },
  { group: "Hear", keys: ["Ctrl+ArrowLeft", "F1"], command: "back", typing: true, says: "one second back" },
  { group: "Hear", keys: ["Ctrl+ArrowRight", "F2"], command: "forward", typing: true, says: "one second on" },
  { group: "Hear", keys: ["Alt+KeyA"], command: "hearCue", typing: true, says: "hear the cue" },
  { group: "Hear", keys: ["Alt+KeyR"], command: "hearSlowly", typing: true, says: "hear it again, slower" },
  { group: "Hear", keys: ["Alt+KeyQ"], command: "hearBeforeStart", typing: true, says: "hear half a second before its start" },
  { group: "Hear", keys: ["Alt+KeyW"], command: "hearAfterStart", typing: true, says: "… after its start" },
  { group: "Hear", keys: ["Alt+KeyE"], command: "hearBeforeEnd", typing: true, says: "… before its end" },
  { group: "Hear", keys: ["Alt+KeyD"], command: "hearAfterEnd", typing: true, says: "… after its end" },
  { group: "Hear", keys: ["Alt+Comma"], command: "slower", typing: true, says: "slower" },
  { group: "Hear", keys: ["Alt+Period"], command: "faster", typing: true, says: "faster" },

  { group: "Doubts", keys: ["Alt+KeyN"], command: "nextDoubt", typing: true, says: "next doubt, and hear it" },
  { group: "Doubts", keys: ["Alt+Shift+KeyN"], command: "previousDoubt", typing: true, says: "previous doubt" },
  { group: "Doubts", keys: ["Alt+KeyK"], command: "right", typing: true, says: "right as it is, and next" },
  { group: "Doubts", keys: ["Alt+KeyG"], command: "fixEverywhere", typing: true, says: "fix everywhere" },

  { group: "Cue", keys: ["Alt+ArrowUp", "ArrowUp"], command: "previousCue", typing: "Alt", says: "cue before" },
  { group: "Cue", keys: ["Alt+ArrowDown", "ArrowDown"], command: "nextCue", typing: "Alt", says: "cue after" },
  { group: "Cue", keys: ["PageUp"], command: "pageUp", says: "a page up", quiet: true },
  { group: "Cue", keys: ["PageDown"], command: "pageDown", says: "a page down", quiet: true },
  { group: "Cue", keys: ["Home"], command: "firstCue", says: "first cue" },
  { group: "Cue", keys: ["End"], command: "lastCue", says: "last cue" },
  { group: "Cue", keys: ["Enter"], command: "edit", says: "edit the text" },
  { group: "Cue", keys: ["Alt+KeyS"], command: "split", typing: true, says: "split at the cursor and the playhead" },
  { group: "Cue", keys: ["Alt+KeyM"], command: "merge", typing: true, says: "merge with the next" },
  { group: "Cue", keys: ["Alt+KeyI"], command: "insert", typing: true, says: "new cue at the playhead" },
  { group: "Cue", keys: ["Alt+Backspace"], command: "remove", typing: true, says: "delete the cue" },
  { group: "Cue", keys: ["Alt+BracketLeft", "Alt+Digit0"], command: "startHere", typing: true, says: "begin at the playhead", shown: ["Alt+["] },
  { group: "Cue", keys: ["Alt+BracketRight", "Alt+Minus"], command: "endHere", typing: true, says: "end at the playhead", shown: ["Alt+]"] },
  { group: "Cue", keys: ["Alt+Shift+ArrowLeft"], command: "earlier", typing: true, says: "whole cue a frame earlier" },
  { group: "Cue", keys: ["Alt+Shift+ArrowRight"], command: "later", typing: true, says: "whole cue a frame later" },
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((number) => ({
    group: "Cue", keys: [`Alt+Digit${number}`], command: `speaker${number}`, typing: true, quiet: number > 1,
    says: "speaker 1 to 9", shown: ["Alt+1 … 9"],
  })),

  { group: "Typing", keys: ["Enter"], command: "commit", typing: "only", says: "keep, next cue, and hear it" },
  { group: "Typing", keys: ["Shift+Enter"], command: "newLine", typing: "only", says: "new line" },
  { group: "Typing", keys: ["Escape"], command: "leave", typing: "only", says: "leave the text; what is typed stays" },

  { group: "Page", keys: ["Ctrl+KeyZ"], command: "undo", typing: true, says: "undo, and go there" },
  { group: "Page", keys: ["Ctrl+KeyY", "Ctrl+Shift+KeyZ"], command: "redo", typing: true, says: "redo", shown: ["Ctrl+Y"] },
  { group: "Page", keys: ["Ctrl+KeyF"], command: "find", typing: true, says: "find and replace" },
  { group: "Page", keys: ["Alt+KeyP"], command: "speakers", typing: true, says: "name and merge speakers" },
  { group: "Page", keys: ["Alt+Equal"], command: "zoomIn", typing: true, says: "waveform closer", shown: ["Alt++"] },
  { group: "Page", keys: ["Alt+Quote", "Alt+Slash"], command: "zoomOut", typing: true, says: "waveform wider", shown: ["Alt+/"] },
  { group: "Page", keys: ["Ctrl+Enter"], command: "apply", typing: true, says: "apply the corrections" },
  { group: "Page", keys: ["F4", "Shift+Slash"], command: "help", typing: "F4", says: "these keys", shown: ["?", "F4"] },
];

const STORE = "reel-review-keys"; // in the browser: chosen keys by command
const FIXED = new Set(["help", "pageUp", "pageDown"]);
// While text is typed, no other key may mean a command.
const ALLOWED = /^((Ctrl|Alt)\+(Shift\+)?.+|F\d+)$/;

/** Tell whether a person may choose another key for an entry of the table. */
export function isChangeable({ command, typing, keys }) {
  return typing !== "only" && !FIXED.has(command) && !/^speaker/.test(command) && keys.length > 0;
}

function chosenKeys() {
  return JSON.parse(localStorage.getItem(STORE) ?? "{}");
}

/** Return the keys that give the command of an entry: the chosen one, or those of the table. */
function keysOf(entry) {
  const chosen = chosenKeys()[entry.command];
  return chosen ? [chosen] : entry.keys;
}

/** Return the keys of an entry as a person reads them. */
export function shownKeys(entry) {
  const isChosen = entry.command in chosenKeys();
  return !isChosen && entry.shown ? entry.shown : keysOf(entry).map(readable);
}

/** Return the first key of a command as a person reads it. */
export function keyOf(command) {
  return shownKeys(KEYS.find((one) => one.command === command))[0];
}

/** Choose a key for the command of an entry. Returns why that cannot be, or null. */
export function chooseKey(entry, pressed) {
  if (!ALLOWED.test(pressed)) return "Take a key together with Ctrl or Alt, or one of F1 to F12.";
  const other = KEYS.find((one) => one.command !== entry.command && keysOf(one).includes(pressed));
  if (other) return `${readable(pressed)} already means “${other.says}”.`;
  localStorage.setItem(STORE, JSON.stringify({ ...chosenKeys(), [entry.command]: pressed }));
  return null;
}

/** Tell whether a person has chosen a key. */
export function hasChosenKeys() {
  return Object.keys(chosenKeys()).length > 0;
}

/** Go back to the keys of the table. */
export function forgetChosenKeys() {
  localStorage.removeItem(STORE);
}

const MODIFIERS = [["ctrlKey", "Ctrl"], ["altKey", "Alt"], ["shiftKey", "Shift"]];

/** Return a key event as the table writes it. On a Mac, Command counts as Ctrl. */
export function written(event) {
  const held = MODIFIERS.filter(([name]) => event[name] || (name === "ctrlKey" && event.metaKey)).map(([, text]) => text);
  return [...held, event.code].join("+");
}

/** Return the command of a key event, or null. `isTyping` says whether the focus is in a text. */
export function commandOf(event, isTyping) {
  if (event.isComposing) return null; // an input method is putting a character together
  const pressed = written(event).replace("NumpadEnter", "Enter");
  const found = KEYS.find((one) => keysOf(one).includes(pressed) && isFor(one, pressed, isTyping));
  return found?.command ?? null;
}

function isFor({ typing }, pressed, isTyping) {
  if (typing === "only") return isTyping;
  if (typing === true || !isTyping) return true;
  return typeof typing === "string" && pressed.startsWith(typing);
}

/** Return a key as a person reads it. */
export function readable(key) {
  const names = { Comma: ",", Period: ".", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc" };
  return key.replace(/Key|Digit/g, "").split("+").map((part) => names[part] ?? part).join("+");
}

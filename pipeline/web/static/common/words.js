// Puts numbers, times and texts of the server into words.

import { html } from "../vendor/htm-preact.js";
import { icon } from "./icons.js";

const UNITS = [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]];

/** Return a number of bytes as `145 MB`: decimal, as disks and providers count. */
export function size(bytes) {
  const [unit, of] = UNITS.find(([, of]) => bytes >= of) ?? ["bytes", 1];
  const value = bytes / of;
  return `${of > 1 && value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

/** Return a time in ms as `0.8 s`, `52 s`, `4 min 12 s` or `1 h 20 min`. */
export function span(ms) {
  const seconds = ms / 1000;
  if (seconds < 10) return `${Math.max(seconds, 0).toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Return a place in a media file in ms as `1:02:03` or `2:03`. */
export function place(ms) {
  const seconds = Math.floor(ms / 1000);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (number) => String(number).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Return a moment as the clock of the reader shows it, with the day if it is not today. */
export function moment(ms) {
  const at = new Date(ms);
  const time = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  if (at.toDateString() === new Date().toDateString()) return time;
  return `${at.toLocaleDateString([], { day: "numeric", month: "short" })}, ${time}`;
}

/** Return `1 file`, `3 files`. */
export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString()} ${number === 1 ? one : many}`;
}

/** Return a text with what stands between backquotes as code. */
export function prose(text) {
  return (text ?? "").split("`").map((part, at) => (at % 2 ? html`<code>${part}</code>` : part));
}

/** Return a name of the server with a capital, as it begins a line. */
export function capital(text) {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** Return a message or hint of the server as a sentence: it begins in small letters there, for a terminal. */
export function sentence(text) {
  if (!text) return "";
  const first = /^\p{Ll}+ /u.test(text) ? capital(text) : text;
  return prose(/[.!?:]$/.test(first) ? first : `${first}.`);
}

/** A refusal or failure as a note: the message, the way out below it, and what else there is to say. */
export function Refused({ refusal, lead, state = "bad", children }) {
  return html`<div class="note" data-state=${state}>${icon("warning")}<div class="stack-small grow">
    <p>${lead ? html`<span class="strong">${lead}: </span>${prose(refusal.message)}` : sentence(refusal.message)}</p>
    ${refusal.hint && html`<p class="soft">${sentence(refusal.hint)}</p>`}${children}</div></div>`;
}

/** Return a text as it compares: in small letters, without accents. */
export function folded(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().trim();
}

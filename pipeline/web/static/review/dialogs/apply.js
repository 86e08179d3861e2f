/**
 * Applies the corrections: starts the run that takes them in, shows its steps as they happen, and then what changed:
 * the places that a person corrected, and those that the layout changed around them.
 */

import { address } from "../../common/server.js";
import { element } from "../elements.js";
import { clock } from "../rules/clock.js";
import { button, counted, openDialog, tell } from "./dialogs.js";

const LOOK_MS = 400;
const NOTHING = "There is nothing to apply: no correction was made since the last time.";
const ENDED = new Set(["done", "failed", "skipped", "cancelled"]);

/** Apply the draft of a session. `onDone` is called when the files were made again. */
export async function applyDraft(api, saver, session, onDone) {
  await saver.send();
  if (saver.waiting) {
    tell("Some corrections are not saved yet. They are applied once the server answers.", { state: "bad" });
    return;
  }
  if (!saver.open) return tell(NOTHING);
  try {
    await start(api, saver, session, null, onDone);
  } catch (error) {
    if (error.code === "review.changed-on-disk") askWhichWins(error.answer.files, (choice) => (
      start(api, saver, session, choice, onDone).catch(refused)
    ));
    else if (error.code === "review.applying") tell("The corrections are being applied already.");
    else if (error.code === "review.nothing") tell(NOTHING);
    else refused(error);
  }
}

function refused(error) {
  tell([error.message, error.hint].filter(Boolean).join(" "), { state: "bad", stays: true });
}

async function start(api, saver, session, onDisk, onDone) {
  const { job } = await api.apply(saver.etag, onDisk);
  watch(api, job, onDone);
}

/**
 * Show a run that was started before, as after a reload. The dialog can be left while the run waits or works; a message
 * says when it has ended.
 */
export function watch(api, job, onDone) {
  const steps = element("div", { class: "steps", role: "group", "aria-label": "Steps made again" });
  const kept = element("p", { class: "soft small" });
  const status = element("p", { role: "status", text: "Waiting for the queue …" });
  const changes = element("div", { class: "changes" });
  const again = button("Go on reviewing", () => dialog.close(), "primary");
  const dialog = openDialog("Apply the corrections", [status, steps, kept, changes], [again]);
  const made = new Map();
  const stop = followSteps(job, { steps, status, kept }, made);
  const look = async () => {
    const found = await api.changes().catch((error) => ({ state: error.status === 0 ? "unreachable" : "failed", error }));
    if (!ENDED.has(found.state)) return setTimeout(look, LOOK_MS);
    stop();
    if (found.state === "done") showChanges(found, made, status, changes);
    else showFailure(found, await api.job(job).catch(() => ({})), status, changes);
    if (!dialog.open) return tell(status.textContent, { action: { text: "Show", run: onDone }, stays: found.state !== "done" });
    again.focus();
    return dialog.addEventListener("close", onDone);
  };
  look();
}

/** Show each step as it starts and ends, and put the seconds of those that were made again into `made`. */
function followSteps(job, { steps, status, kept }, made) {
  const source = new EventSource(address("api/1/events"));
  const chips = new Map();
  const note = (state, text) => ({ data }) => {
    const event = JSON.parse(data);
    if (event.job !== job || !event.step) return;
    if (!chips.has(event.step)) chips.set(event.step, steps.appendChild(element("span", { class: "chip" })));
    const chip = chips.get(event.step);
    chip.dataset.state = state;
    chip.textContent = `${event.step} ${text(event)}`;
    if (state === "good") made.set(event.step, event.seconds);
    status.textContent = "Only what depends on the corrections is made again.";
  };
  source.addEventListener("StepStarted", note("busy", () => "…"));
  source.addEventListener("StepDone", note("good", ({ seconds }) => `${seconds.toFixed(1)} s`));
  source.addEventListener("StepReused", ({ data }) => {
    const event = JSON.parse(data);
    if (event.job === job) kept.textContent = kept.textContent ? `${kept.textContent}, ${event.step}` : `Kept: ${event.step}`;
  });
  source.addEventListener("StepFailedEvent", note("bad", () => "failed"));
  return () => source.close();
}

function showChanges({ changes, counts }, made, status, place) {
  const seconds = [...made.values()].reduce((sum, one) => sum + one, 0);
  const layout = counts.layout ? `${counts.layout} changed around them` : "nothing else changed";
  status.textContent = `Applied ${counted(counts.you, "correction")}; ${layout}. ` +
    `${counted(made.size, "step")} made again in ${seconds.toFixed(1)} s; all others kept.`;
  place.replaceChildren(...changes.map((change) => element("div", { class: "change" },
    element("span", { class: "when", text: clock(change.start_ms) }),
    element("del", { dir: "auto" }, change.before.map((cue) => element("p", { text: cue.lines.join("\n") }))),
    element("ins", { dir: "auto" }, change.after.map((cue) => element("p", { text: cue.lines.join("\n") }))),
    element("span", { class: "chip plain", text: change.by === "you" ? "you" : "follows" }))));
}

function showFailure(found, job, status, place) {
  const error = job.error ?? found.error ?? {};
  status.textContent = "The corrections are kept, but the run failed.";
  place.replaceChildren(element("div", { class: "note", "data-state": "bad" }, element("div", {},
    element("p", { dir: "auto", text: error.message ?? `the run is ${found.state}` }),
    error.hint ? element("p", { class: "soft", dir: "auto", text: error.hint }) : null)));
}

/** Ask what counts where a published file was edited since. Nothing has been written yet. */
function askWhichWins(files, decide) {
  const part = (title, text) => element("section", { class: "version" }, element("h3", { text: title }), element("pre", { dir: "auto", text: text ?? "(not there)" }));
  const choose = (choice) => {
    dialog.close();
    decide(choice);
  };
  const dialog = openDialog("A file was edited on the disk too", [
    element("p", { text: "Both sets of corrections are kept. Which one counts where both changed the same place?" }),
    files.map((file) => element("details", { open: files.length === 1 }, element("summary", { dir: "auto", text: file.name }),
      element("div", { class: "versions" },
        part("Edited file", differing(file.on_disk, file.published)),
        part("On this page", file.draft.map(({ before, after }) => `${before?.lines.join(" / ") ?? "(new)"} → ${after?.lines.join(" / ") ?? "(deleted)"}`).join("\n"))))),
  ], [button("Cancel", () => dialog.close()), button("The edited file counts", () => choose("file")), button("This page counts", () => choose("page"), "primary")]);
}

/** Return the lines of a text that another one does not have. */
function differing(text, other) {
  const known = new Set((other ?? "").split("\n"));
  return (text ?? "").split("\n").filter((line) => !known.has(line)).join("\n");
}

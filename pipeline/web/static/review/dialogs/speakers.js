/** Names and merges speakers. */

import { element } from "../elements.js";
import { renameSpeakers, respeak } from "../rules/changes.js";
import { randomDigits } from "../rules/draft.js";
import { button, counted, openDialog, tell } from "./dialogs.js";

/** Open the dialog. `hear` plays a cue of a speaker. */
export function openSpeakers(session, hear) {
  const inputs = new Map();
  const rows = session.speakers.map((speaker, place) => {
    const cues = session.draft.order.filter((id) => speaker.labels.includes(session.draft.cue(id).speaker));
    const input = element("input", { type: "text", dir: "auto", value: speaker.name, "aria-label": `Name of ${speaker.name}`, autofocus: place === 0, onfocus: () => input.select() });
    inputs.set(speaker, input);
    return element("div", { class: "row speaker-row" },
      element("span", { class: `speaker s${(place % 6) + 1}`, "aria-hidden": "true", text: place + 1 }),
      element("div", { class: "grow" }, input),
      element("span", { class: "soft small figures", text: counted(cues.length, "cue") }),
      button("Hear", () => hear(cues[Math.floor(cues.length / 3)]), "small"));
  });
  const keep = () => {
    const operations = session.speakers.flatMap((speaker) => {
      const name = inputs.get(speaker)?.value.trim();
      return name ? renameSpeakers(session.draft, speaker.labels, name) : [];
    });
    dialog.close();
    if (session.change(operations)) tell("The speakers have their names.");
  };
  const form = element("form", { class: "stack", onsubmit: (event) => { event.preventDefault(); keep(); } },
    rows.length ? rows : element("p", { class: "soft", text: "No speaker has a name yet. Give a cue a speaker first: choose “new speaker” below its text, or press Alt+1." }),
    element("p", { class: "soft small", text: "Two speakers with one name become one. Alt+1 to Alt+9 give a cue to a speaker, in this order." }));
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.tagName !== "INPUT") return;
    event.preventDefault();
    keep();
  });
  const dialog = openDialog("Speakers", form, [button("Cancel", () => dialog.close()), button("Save", keep, "primary")]);
}

/** Give the chosen cue to the speaker with a number, from 1; a number beyond the last makes a new speaker. */
export function giveTo(session, number) {
  const speaker = session.speakers[number - 1];
  const label = speaker?.labels[0] ?? `speaker-${randomDigits(3)}`;
  const added = speaker ? [] : renameSpeakers(session.draft, [label], `Speaker ${session.speakers.length + 1}`);
  session.change([...added, ...respeak(session.draft, session.selected, label)]);
}

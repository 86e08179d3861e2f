/** Shows whether the corrections are saved, and whether this tab may write. */

import { button, counted } from "./dialogs/dialogs.js";
import { byId, element } from "./elements.js";

const WRITING = ["undo", "redo", "apply", "split", "merge", "insert", "insert-first", "fix", "remove"];

/** Show what a saver does. */
export function showSaving(saver) {
  const chip = byId("saved");
  const show = () => {
    const [state, text] = shown(saver);
    chip.dataset.state = state;
    if (chip.textContent !== text) chip.textContent = text;
    chip.title = saver.state === "failed" ? saver.failure.message : "";
    byId("apply").classList.toggle("primary", saver.open + saver.waiting > 0);
  };
  saver.addEventListener("state", show);
  show();
}

function shown({ state, savedMs, waiting, failure }) {
  const count = counted(waiting, "correction");
  return {
    saved: savedMs ? ["good", `saved ${new Date(savedMs).toLocaleTimeString()}`] : ["", "no corrections yet"],
    saving: ["busy", "saving"],
    offline: ["warning", `offline: ${count} kept here`],
    applying: ["busy", `applying; ${count} waiting`],
    failed: ["bad", `not saved: ${failure?.message ?? ""}`],
  }[state];
}

/** Show that another tab writes, with the way to take over; `takeOver` is called when it is pressed. */
export function showReadOnly(isReadOnly, takeOver) {
  for (const id of WRITING) byId(id).disabled = isReadOnly;
  showBanner(isReadOnly ? [
    element("span", { class: "grow", text: "This film is open in another tab. Here it can be read; corrections from there appear." }),
    button("Take over", takeOver, "small"),
  ] : null);
}

/** Show a line above the panes, or none. */
export function showBanner(children) {
  const banner = byId("banner");
  banner.hidden = !children;
  banner.replaceChildren(...(children ?? []));
}

/** Shows the table of keys, and lets a person choose others: a press on a key waits for the one that takes its place. */

import { element } from "../elements.js";
import { chooseKey, forgetChosenKeys, hasChosenKeys, isChangeable, KEYS, shownKeys, written } from "../keys.js";
import { button, openDialog } from "./dialogs.js";

const MODIFIERS = new Set(["Control", "Alt", "Shift", "Meta", "AltGraph"]);
const SAYS = "To change a key, press on it.";

/** Open the help. */
export function openKeyHelp() {
  const groups = element("div", { class: "key-groups" });
  const status = element("p", { class: "soft small", role: "status", text: SAYS });
  const reset = button("Undo all changes of keys", () => {
    forgetChosenKeys();
    show();
  }, "small");
  const show = (command = null) => {
    groups.replaceChildren(...groupNames().map((name) => group(name, status, show)));
    reset.hidden = !hasChosenKeys();
    groups.querySelector(`[data-command="${command}"]`)?.focus();
  };
  show();
  return openDialog("Keys", [groups, element("div", { class: "spread" }, status, reset)], [], "wide");
}

function groupNames() {
  return [...new Set(KEYS.map((one) => one.group))];
}

function group(name, status, show) {
  const entries = KEYS.filter((one) => one.group === name && !one.quiet);
  return element("section", {},
    element("h3", { text: name }),
    element("dl", { class: "key-table" }, entries.flatMap((entry) => [
      element("dt", {}, isChangeable(entry) ? changeable(entry, status, show) : drawn(entry)),
      element("dd", { text: entry.says }),
    ])));
}

function drawn(entry) {
  return shownKeys(entry).flatMap((key, place) => [place ? " or " : "", element("kbd", { text: key })]);
}

/** Return the keys of an entry as a button. Pressed, it takes the next key; Escape or going elsewhere leaves all as it is. */
function changeable(entry, status, show) {
  const label = `${shownKeys(entry).join(" or ")}: ${entry.says}. Change`;
  const made = element("button", { class: "key", type: "button", "data-command": entry.command, "aria-label": label }, drawn(entry));
  const end = () => {
    made.removeEventListener("keydown", take);
    made.removeEventListener("blur", end);
    made.replaceChildren(...drawn(entry));
    status.textContent = SAYS;
  };
  const take = (event) => {
    event.preventDefault();
    event.stopPropagation();
    if (MODIFIERS.has(event.key)) return;
    if (event.code === "Escape") return end();
    const refusal = chooseKey(entry, written(event));
    if (refusal) return (status.textContent = refusal);
    end();
    show(entry.command);
  };
  made.addEventListener("click", () => {
    made.replaceChildren(element("kbd", { text: "press a key" }));
    status.textContent = `Press the new key for “${entry.says}”, or Esc.`;
    made.addEventListener("keydown", take);
    made.addEventListener("blur", end);
  });
  return made;
}

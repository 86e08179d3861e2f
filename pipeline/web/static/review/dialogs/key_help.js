/** Shows the table of keys. */

import { element } from "../elements.js";
import { KEYS, readable } from "../keys.js";
import { openDialog } from "./dialogs.js";

/** Open the help. */
export function openKeyHelp() {
  const groups = [...new Set(KEYS.map((one) => one.group))];
  const body = element("div", { class: "key-groups" }, groups.map((group) => element("section", {},
    element("h3", { text: group }),
    element("dl", { class: "key-table" }, KEYS.filter((one) => one.group === group && !one.quiet).flatMap(row)))));
  return openDialog("Keys", body, [], "wide");
}

function row({ keys, shown, says }) {
  const written = shown ?? keys.map(readable);
  return [
    element("dt", {}, written.flatMap((key, place) => [place ? " or " : "", element("kbd", { text: key })])),
    element("dd", { text: says }),
  ];
}

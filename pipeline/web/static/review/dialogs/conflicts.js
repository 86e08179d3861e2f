/** Shows corrections that two people made of the same place, and lets one of them decide. */

import { element } from "../elements.js";
import { isSame } from "../rules/draft.js";
import { button, openDialog } from "./dialogs.js";

/** Open the dialog for conflicts: `{id, base, mine, theirs}`. Theirs is saved already; mine is kept if it is chosen. */
export function openConflicts(session, conflicts) {
  const left = [...conflicts];
  const showNext = () => {
    const conflict = left.shift();
    if (conflict) show(conflict);
  };
  const show = ({ id, mine, theirs }) => {
    const decide = (item) => {
      const now = session.draft.item(id);
      if (!isSame(now, item)) session.change([{ id, before: now, after: item }]);
      session.select(id);
      isDecided = true;
      dialog.close();
      showNext();
    };
    let isDecided = false;
    const version = (heading, item) => element("section", { class: "version" },
      element("h3", { text: heading }), element("p", { dir: "auto", lang: session.facts.language, text: textOf(item) }));
    const dialog = openDialog("Corrected twice", [
      element("p", { text: "This place was corrected here and elsewhere at the same time. Nothing is lost: choose." }),
      element("div", { class: "versions" }, version("Here", mine), version("Elsewhere, saved", theirs)),
    ], [button("Keep the one saved elsewhere", () => decide(theirs)), button("Keep mine", () => decide(mine), "primary")]);
    dialog.addEventListener("cancel", (event) => event.preventDefault()); // one of the two has to be chosen
    dialog.addEventListener("close", () => {
      if (!isDecided) show({ id, mine, theirs });
    });
  };
  showNext();
}

function textOf(item) {
  if (!item) return "(deleted)";
  if (item.lines) return item.lines.join("\n");
  return item.name ?? "right as it is";
}

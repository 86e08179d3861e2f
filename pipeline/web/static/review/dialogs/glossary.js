/** Offers to write a term into the glossary, so that the next run hears it right. */

import { element } from "../elements.js";
import { button, openDialog, tell } from "./dialogs.js";

/** Offer a term. The line is shown as it would stand, and written only when a person agrees. */
export function offerTerm(api, session, source) {
  if (!source || !session.facts.glossary || session.facts.glossary.terms.includes(source)) return;
  tell(`Add “${source}” to the glossary, so that the next run hears it?`, {
    action: { text: "Show the line", run: () => showLine(api, source) },
  });
}

async function showLine(api, source) {
  const term = { source, target: null, targets: {}, match: "word", note: "" };
  try {
    const { file, line } = await api.glossary(term, false);
    const write = async () => {
      dialog.close();
      try {
        await api.glossary(term, true);
        tell(`“${source}” is in the glossary.`, { state: "good" });
      } catch (error) {
        tell(error.message, { state: "bad" });
      }
    };
    const dialog = openDialog("Add to the glossary", [
      element("p", {}, "This line is added to ", element("code", { dir: "auto", text: file }), ":"),
      element("pre", { class: "line", text: line }),
    ], [button("Cancel", () => dialog.close()), button("Add", write, "primary")]);
  } catch (error) {
    tell([error.message, error.hint].filter(Boolean).join(" "), { state: "bad" });
  }
}

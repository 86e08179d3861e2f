/** Offers to write a term into the glossary, so that the next run hears it right. It is written only when it is ticked. */

import { element, show } from "../elements.js";
import { tell } from "./dialogs.js";

/** The offer as a part of a dialog: `part`. */
export class TermOffer {
  #api;
  #glossary;
  #term = "";
  #says = element("span");
  #box = element("input", { type: "checkbox", onchange: () => this.#showLine() });
  #line = element("pre", { class: "line", dir: "auto", hidden: true });
  part = element("div", { class: "stack-small", hidden: true }, element("label", { class: "tick" }, this.#box, this.#says), this.#line);

  /** @param {{name: string, terms: string[]}} glossary the glossary of the run, as the document has it */
  constructor(api, glossary) {
    this.#api = api;
    this.#glossary = glossary;
  }

  /** Offer another term; nothing is offered for an empty one, and for one that the glossary has. */
  offer(term) {
    this.#term = term;
    this.#says.textContent = `Add “${term}” to the glossary ${this.#glossary.name}, so that the next run hears it`;
    show(this.part, Boolean(term) && !this.#glossary.terms.includes(term));
    this.#showLine();
  }

  /** Write the term if it is offered and ticked. */
  async write() {
    if (this.part.hidden || !this.#box.checked) return;
    const term = this.#term;
    try {
      await this.#api.glossary(asTerm(term), true);
      this.#glossary.terms.push(term);
      tell(`“${term}” is in the glossary.`, { state: "good" });
    } catch (error) {
      tell(`“${term}” is not in the glossary: ${explained(error)}`, { state: "bad", stays: true });
    }
  }

  /** Show the line as it would stand in the file. */
  async #showLine() {
    const term = this.#term;
    show(this.#line, this.#box.checked);
    if (!this.#box.checked || !term) return;
    const text = await this.#api.glossary(asTerm(term), false).then(({ line }) => line, explained);
    if (term === this.#term) this.#line.textContent = text;
  }
}

function asTerm(source) {
  return { source, target: null, targets: {}, match: "word", note: "" };
}

function explained(error) {
  return [error.message, error.hint].filter(Boolean).join("; ");
}

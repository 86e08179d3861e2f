// Field for languages, by name in English or in themselves, or by tag: `Hindi`, `हिन्दी`, `pt-BR`.

import { html, useRef, useState } from "../vendor/htm-preact.js";
import { icon } from "../common/icons.js";
import { folded } from "../common/words.js";

const SHOWN = 8;
const NOT_MEANT = 9;

/** Return the languages that a text may mean, the nearest first. */
export function suggested(text, languages, taken) {
  const wanted = folded(text);
  if (!wanted) return [];
  const rank = ({ tag, names }) => {
    if (folded(tag) === wanted) return 0;
    const known = names.map(folded);
    if (known.some((name) => name === wanted)) return 1;
    if (known[0].startsWith(wanted)) return 2;
    if (known.some((name) => name.startsWith(wanted))) return 3;
    if (known.some((name) => name.includes(` ${wanted}`))) return 4;
    return folded(tag).startsWith(wanted) ? 5 : NOT_MEANT;
  };
  const found = languages.filter(({ tag }) => !taken.includes(tag)).map((one) => [rank(one), one]);
  const near = found.filter(([place]) => place < NOT_MEANT);
  return near.sort((a, b) => a[0] - b[0] || a[1].tag.length - b[1].tag.length).slice(0, SHOWN).map(([, one]) => one);
}

/** Return a language's name for people; the tag itself if it has none. */
export function nameOf(tag, languages) {
  return languages.find((one) => one.tag === tag)?.names[0] ?? tag;
}

/** Field with the languages that are chosen as chips. `chosen` are tags, `change` gets the new ones. */
export function LanguageField({ id, label, hint, languages, chosen, change, one = false }) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const input = useRef(null);
  const found = suggested(text, languages, chosen);
  const isOpen = found.length > 0;

  const take = (tags) => {
    const added = tags.filter((tag) => tag && !chosen.includes(tag));
    change(one ? added.slice(-1) : [...chosen, ...added]);
    setText("");
    setAt(0);
  };
  // A name in a list that ends with a comma is what stands there, whether or not it is suggested.
  const meant = (word) => suggested(word, languages, [])[0]?.tag ?? word.trim();
  const typed = (event) => {
    const value = event.target.value;
    if (/[,;]/.test(value)) return take(value.split(/[,;]/).filter((word) => word.trim()).map(meant));
    setAt(0);
    return setText(value);
  };
  const key = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && isOpen) setAt((at + step + found.length) % found.length);
    else if (event.key === "Enter" && text.trim()) take([found[at]?.tag ?? text.trim()]);
    else if (event.key === "Escape" && text) setText("");
    else if (event.key === "Backspace" && !text && chosen.length) change(chosen.slice(0, -1));
    else return;
    event.preventDefault();
  };
  const leave = () => text.trim() && take([found[0]?.tag ?? text.trim()]);

  return html`<div class="field languages">
    <label for=${id}>${label}</label>
    <div class="chosen" onClick=${() => input.current.focus()}>
      ${chosen.map((tag) => html`<span class="chip plain" key=${tag}>${nameOf(tag, languages)}
        <button type="button" class="remove" aria-label=${`Remove ${nameOf(tag, languages)}`}
          onClick=${(event) => { event.stopPropagation(); change(chosen.filter((other) => other !== tag)); }}
          >${icon("close")}</button></span>`)}
      <input id=${id} ref=${input} value=${text} onInput=${typed} onKeyDown=${key} onBlur=${leave} autocomplete="off"
        spellcheck="false" placeholder=${chosen.length ? "" : hint} role="combobox" aria-autocomplete="list"
        aria-expanded=${isOpen} aria-controls=${`${id}-found`}
        aria-activedescendant=${isOpen ? `${id}-${found[at]?.tag}` : undefined} />
    </div>
    <ul class="found panel" id=${`${id}-found`} role="listbox" aria-label=${label} hidden=${!isOpen}>
      ${found.map(({ tag, names }, number) => html`<li key=${tag} id=${`${id}-${tag}`} role="option"
        aria-selected=${number === at} onMouseDown=${(event) => { event.preventDefault(); take([tag]); }}>
        <span>${names[0]}</span>${names[1] && html`<bdi class="soft">${names[1]}</bdi>`}
        <span class="faint fixed">${tag}</span></li>`)}
    </ul>
  </div>`;
}

// Draws the icons of the pages. An icon stands beside words, so it is hidden from who hears the page.

import { html } from "../vendor/htm-preact.js";

const SHAPES = {
  add: "M12 5v14M5 12h14",
  close: "M6 6l12 12M18 6L6 18",
  check: "M5 12.5l4.5 4.5L19 7.5",
  open: "M9 6l6 6-6 6",
  up: "M12 19V5M6 11l6-6 6 6",
  upload: "M12 15V4M7 9l5-5 5 5M5 15v4h14v-4",
  download: "M12 4v11M7 10l5 5 5-5M5 19h14",
  folder: "M3 7a2 2 0 0 1 2-2h4l2 2.5h8a2 2 0 0 1 2 2V17a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2z",
  file: "M7 3h7l5 5v13H7zM14 3v5h5",
  film: "M4 5h16v14H4zM8 5v14M16 5v14M4 9.7h4M4 14.3h4M16 9.7h4M16 14.3h4",
  again: "M19 12a7 7 0 1 1-2.2-5.1M19 4v4h-4",
  stop: "M6 6h12v12H6z",
  edit: "M4 20l1-4L16 5l3 3L8 19z",
  warning: "M12 4l9 16H3zM12 10v4.5M12 17.4v.1",
  info: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 11v5.5M12 7.6v.1",
};

/** Return an icon by its name. */
export function icon(name) {
  return html`<svg class="icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.8"
    stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d=${SHAPES[name]} /></svg>`;
}

/** Return the mark of the product: a reel of film. */
export function mark() {
  return html`<svg viewBox="0 0 24 24" aria-hidden="true"><path fill="currentColor" fill-rule="evenodd" d="M12 0a12 12 0
    1 0 0 24 12 12 0 0 0 0-24zm0 4.1a2.3 2.3 0 1 1 0 4.6 2.3 2.3 0 0 1 0-4.6zm0 11.2a2.3 2.3 0 1 1 0 4.6 2.3 2.3 0 0 1
    0-4.6zM6.4 9.7a2.3 2.3 0 1 1 0 4.6 2.3 2.3 0 0 1 0-4.6zm11.2 0a2.3 2.3 0 1 1 0 4.6 2.3 2.3 0 0 1 0-4.6zM12 10.7a1.3
    1.3 0 1 1 0 2.6 1.3 1.3 0 0 1 0-2.6z" /></svg>`;
}

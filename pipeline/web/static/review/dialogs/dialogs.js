/**
 * Opens dialogs and shows short messages. A dialog is the browser's own: it keeps the focus, Escape closes it, and a
 * press beside it does nothing, so nothing typed is lost.
 */

import { byId, element } from "../elements.js";

/** Open a dialog and return it. `body` are its contents, `buttons` its foot; the focus goes to `[autofocus]`. */
export function openDialog(title, body, buttons = [], kind = "") {
  const heading = element("h2", { id: "dialog-title", text: title });
  const close = element("button", { class: "button quiet", type: "button", "aria-label": "Close", text: "×", onclick: () => dialog.close() });
  const inside = element("div", { class: "inside stack" }, body);
  if (!inside.querySelector("input, button, summary")) inside.tabIndex = 0; // so that keys can scroll it
  const dialog = element("dialog", { class: kind, "aria-labelledby": "dialog-title" },
    element("header", { class: "spread" }, heading, close),
    inside,
    buttons.length ? element("footer", {}, buttons) : null);
  const focused = document.activeElement;
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (focused instanceof HTMLElement && focused.isConnected) focused.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Tell whether a dialog is open. */
export function isDialogOpen() {
  return document.querySelector("dialog[open]") !== null;
}

/** Return a button. */
export function button(text, onclick, kind = "") {
  return element("button", { class: `button ${kind}`.trim(), type: "button", text, onclick });
}

/** Return a number with its noun: `1 cue`, `2 cues`. */
export function counted(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** Show a message for some seconds, with an action if one is given. It is also read to who does not see it. */
export function tell(text, { state = "", action = null, stays = false } = {}) {
  // One at a time, but what stays until it is dismissed.
  for (const old of byId("toasts").querySelectorAll(".toast:not(.stays)")) old.remove();
  const toast = element("div", { class: stays ? "toast stays" : "toast", "data-state": state }, element("span", { class: "grow", dir: "auto", text }));
  if (action) {
    toast.append(button(action.text, () => {
      toast.remove();
      action.run();
    }, "small"));
  }
  if (stays) toast.append(element("button", { class: "button quiet small", type: "button", "aria-label": "Dismiss", text: "×", onclick: () => toast.remove() }));
  else setTimeout(() => toast.remove(), action ? 12_000 : 6_000);
  byId("toasts").append(toast);
  return toast;
}

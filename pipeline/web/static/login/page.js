// Takes the token once; the server keeps it in a cookie that no script can read.

import { BASE, Refusal, send } from "../common/server.js";

const form = document.getElementById("form");
const token = document.getElementById("token");
const wrong = document.getElementById("wrong");

/** Go to the page that asked for the token. A dot before it keeps it below this server. */
function goOn() {
  const next = new URLSearchParams(location.search).get("next") ?? "/";
  location.replace(new URL(`.${next}`, BASE));
}

/** Return the sentence for a refused token. */
function explained(error) {
  if (error.status === 401) return "This is not the token of the server.";
  if (error.status === 429) return "Too many wrong tokens. Wait a minute, then try again.";
  return error.message;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = document.getElementById("go");
  button.disabled = true;
  try {
    await send("POST", "api/1/login", undefined, {
      stay: true, headers: { authorization: `Bearer ${token.value.trim()}` },
    });
    goOn();
  } catch (error) {
    if (!(error instanceof Refusal || error instanceof TypeError)) throw error;
    wrong.textContent = error instanceof TypeError ? "A token has letters of ASCII only." : explained(error);
    token.setAttribute("aria-invalid", "true");
    token.select();
  } finally {
    button.disabled = false;
  }
});

// A cookie is not sent with the first request that a link on another site leads to, but with this one.
send("GET", "api/1/jobs?limit=0", undefined, { stay: true }).then(goOn, () => token.focus());

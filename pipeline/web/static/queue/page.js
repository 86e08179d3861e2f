// Shows the queue: what is asked for, what is at work and what has been made.

import { html, render } from "../vendor/htm-preact.js";

function Page() {
  return html`<header class="bar"><a class="name" href=".">reel</a></header><main class="page"><h1>Queue</h1></main>`;
}

render(html`<${Page} />`, document.getElementById("page"));

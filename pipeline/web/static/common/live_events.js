// Follows the events of the server, over one connection for all tabs of a browser: it opens six to a server at most, and
// sound, picture and requests need some.

import { address, ask, BASE } from "./server.js";

const NAME = `reel-events ${BASE.href}`;
const AGAIN_MS = 3000;
const KINDS = [
  "Job", "ItemStarted", "StepWaiting", "StepStarted", "StepProgress", "StepPartial", "StepReused", "StepDone",
  "StepFailedEvent", "StepSkipped", "Notice", "Checked", "Published", "ItemFinished", "RunStarted", "SetupStarted",
  "SetupProgress", "SetupFinished", "SetupFailed", "reset",
];

/**
 * Call `onEvent(kind, data)` for each event from now on, and `onConnection(isUp)` when that changes. The kind `reset` says
 * that events were missed, so everything has to be asked for again.
 */
export function follow(onEvent, onConnection) {
  const channel = new BroadcastChannel(NAME);
  let last = "";
  const tell = (message) => {
    receive(message);
    channel.postMessage(message);
  };
  const receive = ({ kind, data, id, up }) => {
    if (up !== undefined) onConnection(up);
    if (!kind) return;
    last = id;
    onEvent(kind, data);
  };
  channel.onmessage = (event) => receive(event.data);
  // The tab that has the lock reads for all. A page that came over plain HTTP from another machine has no locks.
  if (navigator.locks) navigator.locks.request(NAME, () => { read(() => last, tell); return new Promise(() => {}); });
  else read(() => last, tell);
}

/** Read the events after the one that `last` names, and tell of each. */
function read(last, tell) {
  const id = last();
  const source = new EventSource(address(`api/1/events${id ? `?last-event-id=${encodeURIComponent(id)}` : ""}`));
  source.onopen = () => tell({ up: true });
  source.onerror = () => {
    tell({ up: false });
    if (source.readyState !== EventSource.CLOSED) return; // else the browser tries again by itself
    const again = () => read(last, tell);
    // A token that is not taken any more leads to the page that asks for it.
    setTimeout(() => ask("GET", "api/1/jobs?limit=0").then(again, again), AGAIN_MS);
  };
  for (const kind of KINDS) {
    source.addEventListener(kind, (event) => tell({ kind, id: event.lastEventId, data: JSON.parse(event.data) }));
  }
}

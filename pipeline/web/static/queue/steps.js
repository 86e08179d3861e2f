// Shows the steps of a job, and how fast they go.

import { html } from "../vendor/htm-preact.js";
import { span } from "../common/words.js";

const STEP_STATES = {
  planned: "", waiting: "waiting", running: "busy", done: "good", reused: "good", failed: "bad", skipped: "warning",
};

/** Return the length of a job's media file in ms as its steps know it, 0 if none does. */
export function mediaMs(work) {
  return Math.max(0, ...(work?.steps ?? []).map((step) => step.media_ms ?? 0));
}

/** Return how many times faster than it plays a media file was worked on: `12×`. */
export function speed(media, spent) {
  if (!media || !spent) return "";
  const times = media / spent;
  return `${times < 10 ? times.toFixed(1) : Math.round(times)}×`;
}

/** Steps as chips, in the order of the plan. */
export function Steps({ steps }) {
  return html`<ol class="steps" aria-label="Steps">${steps.map((step) => {
    const isRunning = step.state === "running";
    const part = isRunning && step.done ? ` ${Math.round(100 * step.done)} %` : "";
    const spent = isRunning ? Date.now() - step.started_ms : (step.seconds ?? 0) * 1000;
    const fast = speed((step.media_ms ?? 0) * (isRunning ? (step.done ?? 0) : 1), spent);
    const about = [
      step.backend, step.state, step.waits_for && `waits for ${step.waits_for}`, step.seconds && span(spent),
      fast && `${fast} as fast as it plays`,
    ];
    return html`<li key=${step.step} class="chip" data-state=${STEP_STATES[step.state]} data-step=${step.step}
      title=${about.filter(Boolean).join(", ")}>
      ${step.step}${part}${isRunning && fast ? `, ${fast}` : ""}<span class="unseen">: ${step.state}</span></li>`;
  })}</ol>`;
}

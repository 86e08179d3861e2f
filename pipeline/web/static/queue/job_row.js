// Shows one job: how far it is, what it has made, what went wrong, and what can be done about it.

import { html } from "../vendor/htm-preact.js";
import { icon } from "../common/icons.js";
import { capital, moment, place, Refused, sentence, span } from "../common/words.js";
import { nameOf } from "./language_field.js";
import { JobDetails } from "./job_details.js";
import { mediaMs, speed, Steps } from "./steps.js";

const STATES = {
  queued: ["waiting", "waiting"], running: ["busy", "at work"], done: ["good", "done"], failed: ["bad", "failed"],
  skipped: ["warning", "skipped"], cancelled: ["", "cancelled"],
};

/**
 * A job. `actions` are cancel, retry, first and toggle; `review` is the id of its review page, if it has one. A click on
 * the name does the same as the button before it, except where it marks the name to copy it.
 */
export function JobRow({ job, work, review, isOpen, languages, actions }) {
  const [state, word] = STATES[job.state];
  const to = (job.overrides.to ?? []).map((tag) => nameOf(tag, languages));
  const label = `${isOpen ? "Hide details" : "Show details"} of ${job.label}`;
  return html`<li class="job panel" data-job=${job.id}>
    <div class="job-head">
      <button class="button quiet small twist" aria-expanded=${isOpen} aria-label=${label} onClick=${() => actions.toggle(job)}>
        ${icon("open")}</button>
      <div class="grow opens" onClick=${() => getSelection().isCollapsed && actions.toggle(job)}>
        <h3 class="cut"><bdi title=${job.media}>${job.label}</bdi></h3>
        <p class="soft small">${job.corrections ? "Corrections, " + job.recipe : capital(job.recipe)}${to.length ? `, into ${to.join(", ")}` : ""}
          ${job.overrides.profile ? `, ${job.overrides.profile}` : ""} · <${When} job=${job} work=${work} /></p>
      </div>
      <span class="chip" data-state=${state}>${word}</span>
      <div class="row job-actions">
        ${job.state === "done" && review && html`<a class="button small primary" href=${`review/${review}`}>
          ${icon("edit")} Review<span class="unseen"> ${job.label}</span></a>`}
        ${job.state === "queued" && html`<${Action} name="first" words="Do next" sign="up" job=${job} actions=${actions} />`}
        ${["queued", "running"].includes(job.state) && html`<${Action}
          name="cancel" words="Cancel" sign="close" job=${job} actions=${actions} />`}
        ${["failed", "skipped", "cancelled"].includes(job.state) && html`<${Action}
          name="retry" words="Try again" sign="again" job=${job} actions=${actions} />`}
      </div>
    </div>
    ${job.state === "running" && work && html`<${Live} work=${work} />`}
    ${job.error && !isOpen && html`<${Refused} refusal=${job.error} />`}
    ${job.reason && html`<p class="note" data-state="warning">${icon("info")}<span>${sentence(job.reason)}</span></p>`}
    ${isOpen && html`<${JobDetails} job=${job} live=${work} review=${review} languages=${languages} />`}
  </li>`;
}

function Action({ name, words, sign, job, actions }) {
  return html`<button class="button small" onClick=${() => actions[name](job)}>
    ${icon(sign)} ${words}<span class="unseen"> ${job.label}</span></button>`;
}

/** When it was, and how long it took. */
function When({ job, work }) {
  if (job.state === "queued") return html`since ${moment(job.created_ms)}`;
  if (job.state === "running") return html`for ${span(Date.now() - job.started_ms)}`;
  if (!job.started_ms || !job.ended_ms) return moment(job.ended_ms ?? job.created_ms);
  const spent = job.ended_ms - job.started_ms;
  const fast = speed(mediaMs(work), spent);
  return html`${moment(job.ended_ms)}, in ${span(spent)}${fast && `, ${fast} as fast as it plays`}`;
}

/** Steps of a job at work, and the newest text. */
function Live({ work }) {
  const newest = work.text[work.text.length - 1];
  return html`<div class="live">
    <${Steps} steps=${work.steps} />
    ${newest && html`<p class="said"><span class="faint figures">${place(newest.start_ms)}</span> <bdi>${newest.text}</bdi></p>`}
  </div>`;
}

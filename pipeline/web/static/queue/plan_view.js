// Shows what a job would do and why, and what it would set up first, before it costs anything.

import { html } from "../vendor/htm-preact.js";
import { icon } from "../common/icons.js";
import { count, Refused, sentence, size } from "../common/words.js";

const VERDICTS = { new: "runs", redone: "runs again", reused: "is reused" };

/** Return the number of bytes that a plan would fetch. */
export function toFetch(plan) {
  return plan.models.reduce((sum, model) => sum + model.bytes, 0);
}

/** The plan of a job, or the refusal of one. `file` is the name of the file that it is for, or null. */
export function PlanView({ plan, refusal, file }) {
  if (refusal) return html`<${Refused} refusal=${refusal} />`;
  if (!plan) return html`<div class="waiting plan"><span class="unseen">Making the plan</span></div>`;
  const reused = plan.steps.filter((step) => step.verdict === "reused").length;
  const due = plan.steps.length - reused;
  return html`<div class="stack plan">
    <${SetUp} plan=${plan} />
    ${plan.obstacles.map((one) => html`<${Refused} key=${one.message} refusal=${one} />`)}
    ${plan.notes.map((text) => html`<p class="note" key=${text}>${icon("info")}<span>${sentence(text)}</span></p>`)}
    <details>
      <summary>${due ? count(due, "step") : "Nothing to do"}${reused ? `, ${reused} reused` : ""}
        ${file ? html` for <bdi>${file}</bdi>` : ""}</summary>
      <ol class="steps-planned">${plan.steps.map((step) => html`<li key=${step.step}>
        <span class="strong">${step.step}</span> <span class="faint">${step.backend}</span> <span class="soft">${
          VERDICTS[step.verdict]}${step.reason && `: ${step.reason}`}</span></li>`)}</ol>
    </details>
  </div>`;
}

/** What is set up first: environments, and models with their size and licence. Nothing where all is there. */
function SetUp({ plan }) {
  if (!plan.models.length && !plan.environments.length) return null;
  const parts = [];
  if (plan.models.length) parts.push(`${count(plan.models.length, "model")}, ${size(toFetch(plan))}`);
  if (plan.environments.length) parts.push(count(plan.environments.length, "environment"));
  return html`<div class="note set-up">${icon("download")}<div class="stack grow">
    <p>The first such job sets up ${parts.join(", and ")}. It does so by itself, once.</p>
    ${plan.models.length > 0 && html`<ul class="models">${plan.models.map((model) => html`<li key=${model.name}>
      <span class="strong">${model.name}</span>
      <span class="soft figures">${model.locked ? "" : "about "}${size(model.bytes)}</span>
      <span class="soft">${model.licence}${model.restriction ? `, ${model.restriction}` : ""}</span>
      ${model.terms && html`<a href=${model.terms} target="_blank" rel="noreferrer">terms to accept</a>`}</li>`)}</ul>`}
    ${plan.environments.length > 0 && html`<p class="soft">Environments: ${plan.environments.join(", ")}.</p>`}
    ${plan.models.length > 0 && html`<p class="soft">To fetch the models now, type${" "}
      <code>${`${plan.program} models fetch --profile ${plan.profile}`}</code></p>`}
  </div></div>`;
}

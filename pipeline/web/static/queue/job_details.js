// Shows all that is known of one job: its files, steps, text so far, notices, failures, and the chart of its run.

import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { icon } from "../common/icons.js";
import { address, ask } from "../common/server.js";
import { count, place, Refused, sentence, size, span } from "../common/words.js";
import { nameOf } from "./language_field.js";
import { mediaMs, speed, Steps } from "./steps.js";

/** Details of a job. `live` is its progress while it is at work; else it is asked for. */
export function JobDetails({ job, live, review, languages }) {
  const [kept, setKept] = useState(null);
  const [files, setFiles] = useState([]);
  useEffect(() => {
    let gone = false;
    const set = (change) => (value) => !gone && change(value);
    ask("GET", `api/1/jobs/${job.id}/work`).then(set(setKept), () => {});
    ask("GET", `api/1/jobs/${job.id}/files`).then((found) => set(setFiles)(found.files), () => {});
    return () => { gone = true; };
  }, [job.id, job.state]);
  const work = (job.state === "running" && live) || kept;
  if (!work) return html`<div class="inside"><div class="waiting"><span class="unseen">Loading</span></div></div>`;
  return html`<div class="details stack">
    ${work.failures.map((one) => html`<${Failure} key=${one.step} failure=${one} />`)}
    ${job.error && !work.failures.length && html`<${Failure} failure=${{ ...job.error, log_lines: [] }} />`}
    ${work.notices.map((text) => html`<p class="note" data-state="warning" key=${text}>
      ${icon("info")}<span>${sentence(text)}</span></p>`)}
    ${files.length > 0 && html`<section class="stack"><h4>Files</h4><${Files} job=${job} files=${files} /></section>`}
    ${job.state === "running" ? html`<${Heard} text=${work.text} />`
      : work.steps.length > 0 && html`<section class="stack"><h4>Steps</h4><${Steps} steps=${work.steps} /></section>`}
    ${job.state === "done" && mediaMs(work) > 0 && html`<p class="soft">${spent(job, mediaMs(work))}</p>`}
    ${work.checked.length > 0 && html`<ul class="soft">${work.checked.map((one) => html`<li key=${one.language}>
      ${checked(one, languages)}</li>`)}</ul>`}
    ${work.run && job.state !== "running" && html`<${Chart} run=${work.run} />`}
    ${work.run && html`<p class="row">
      ${job.state === "done" && review && html`<a href=${address(`review/${review}/report`)}>Report of this file</a> · `}
      <a href=${address(`runs/${work.run}`)}>Report of the run</a></p>`}
    <p class="faint small">Job ${job.id}${job.folder && html`, in <bdi class="fixed">${job.folder}</bdi>`}${
      job.attempts > 1 && `, ${job.attempts} attempts`}</p>
  </div>`;
}

/** Return how long the work took beside how long the media file is. */
function spent(job, media) {
  const ms = job.ended_ms - job.started_ms;
  return `${span(media)} of media in ${span(ms)}: ${speed(media, ms)} as fast as it plays`;
}

/** Return what was found when the subtitles of a language were checked. */
function checked({ language, cues, over_limits: over }, languages) {
  const found = over ? `${over} over a limit` : "all within the limits";
  return `${nameOf(language, languages)}: ${count(cues, "subtitle")}, ${found}`;
}

function Failure({ failure }) {
  return html`<${Refused} refusal=${failure} lead=${failure.step}>
    ${failure.log_lines?.length > 0 && html`<details open><summary>End of the log</summary>
      <pre class="log" tabindex="0">${failure.log_lines.join("\n")}</pre>
      <p class="faint small">All of it: <bdi class="fixed">${failure.log}</bdi></p></details>`}
    <p class="faint fixed">${failure.code}</p>
  </${Refused}>`;
}

function Files({ job, files }) {
  return html`<ul class="files">${files.map((file) => html`<li key=${file.name}>
    <a class="file" download href=${address(`api/1/jobs/${job.id}/files/${encodeURIComponent(file.name)}`)}>
      ${icon("download")}<bdi class="grow">${file.name}</bdi>
      <span class="faint figures">${size(file.bytes)}</span></a></li>`)}</ul>`;
}

/** The text as it is heard, the newest at the end and in sight. */
function Heard({ text }) {
  if (!text.length) return null;
  return html`<section class="stack"><h4>Heard so far</h4>
    <div class="heard" tabindex="0" ref=${(box) => box && (box.scrollTop = box.scrollHeight)}>
      ${text.map((line, at) => html`<p key=${at}>
        <span class="faint figures">${place(line.start_ms)}</span> <bdi>${line.text}</bdi></p>`)}
    </div></section>`;
}

/** The chart of a run, once it is asked for. */
function Chart({ run }) {
  const [isOpen, setIsOpen] = useState(false);
  const [isMissing, setIsMissing] = useState(false);
  return html`<details onToggle=${(event) => setIsOpen(event.target.open)}><summary>Chart of the run</summary>
    ${isOpen && (isMissing
      ? html`<p class="soft">There is no chart: the run started no worker, or its history was deleted.</p>`
      : html`<a href=${address(`api/1/runs/${run}/chart.svg`)} target="_blank"><img class="chart"
          src=${address(`api/1/runs/${run}/chart.svg`)} alt=${`What each worker did in run ${run}`}
          onError=${() => setIsMissing(true)} /></a>`)}
  </details>`;
}

// Shows the queue: asks for jobs, and shows those at work, those that wait and what was made.

import { html, render, useCallback, useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { icon, mark } from "../common/icons.js";
import { follow } from "../common/live_events.js";
import { ask, Refusal } from "../common/server.js";
import { count, Refused, sentence, size } from "../common/words.js";
import { JobRow } from "./job_row.js";
import { NewJob } from "./new_job.js";

const REFRESH_MS = 400; // events come by the dozen
const PAGE = 50; // jobs that are listed at first, and more at each wish
const TOAST_MS = 8000;
const TICK_MS = 1000;
const SEARCHED = 10; // fewer jobs are seen at a glance
const REVIEWS = 1000; // of the newest results are looked through for those of a job
const TABS = [
  ["all", "All", []], ["work", "At work", ["running"]], ["waiting", "Waiting", ["queued"]], ["done", "Done", ["done"]],
  ["failed", "Failed", ["failed"]], ["other", "Skipped or cancelled", ["skipped", "cancelled"]],
];

/** Return a function that calls `work` as often as it is called, but begins no earlier than `REFRESH_MS` after the last. */
function throttled(work) {
  let isWaiting = false, isDue = false;
  return async function call() {
    isDue = true;
    if (isWaiting) return;
    isWaiting = true;
    while (isDue) {
      isDue = false;
      await Promise.all([work(), new Promise((go) => setTimeout(go, REFRESH_MS))]);
    }
    isWaiting = false;
  };
}

/** Return the jobs and their progress, and a function that asks for them again. */
function useQueue(tab, limit, name) {
  const [queue, setQueue] = useState({ jobs: null, counts: {}, work: {}, setUp: [], reviews: {}, refusal: null });
  const wish = useRef({});
  const reviews = useRef({});
  wish.current = { tab, limit, name };
  const load = useCallback(throttled(async () => {
    const { tab: loaded, name: named } = wish.current;
    const states = TABS.find(([name]) => name === loaded)[2];
    const query = new URLSearchParams([["limit", wish.current.limit], ["name", named], ...states.map((state) => ["state", state])]);
    try {
      const [list, work] = await Promise.all([ask("GET", `api/1/jobs?${query}`), ask("GET", "api/1/work")]);
      reviews.current = await withReviews(reviews.current, list.jobs);
      setQueue({
        tab: loaded, name: named, jobs: list.jobs, counts: list.counts, work: work.jobs, setUp: work.set_up,
        reviews: reviews.current, refusal: null,
      });
    } catch (error) {
      if (!(error instanceof Refusal)) console.error(error);
      setQueue((old) => ({ ...old, refusal: error }));
    }
  }), []);
  useEffect(load, [tab, limit, name]);
  return [queue, load];
}

/** Return the tab that the address names, so that a reload shows the same jobs. */
function tabInAddress() {
  const named = new URLSearchParams(location.search).get("show");
  return TABS.some(([name]) => name === named) ? named : "all";
}

/** Return the ids of review pages by folder of results, null where there is none, also for the folders of new jobs. */
async function withReviews(known, jobs) {
  const fresh = jobs.filter((job) => job.state === "done" && job.folder && !(job.folder in known)).map((job) => job.folder);
  if (!fresh.length) return known;
  const { media } = await ask("GET", `api/1/media?limit=${REVIEWS}`);
  const found = Object.fromEntries(media.map((one) => [one.folder, one.id]));
  return { ...known, ...Object.fromEntries(fresh.map((folder) => [folder, found[folder] ?? null])) };
}

function Page() {
  const [choices, setChoices] = useState(null);
  const [tab, setTab] = useState(tabInAddress());
  const [limit, setLimit] = useState(PAGE);
  const [name, setName] = useState("");
  const [open, setOpen] = useState(new Set());
  const [isUp, setIsUp] = useState(true);
  const [toasts, setToasts] = useState([]);
  const [announcement, setAnnouncement] = useState("");
  const [queue, load] = useQueue(tab, limit, name);

  const toast = (text, state = "bad") => {
    const one = { key: Math.random(), text, state };
    setToasts((old) => [...old, one]);
    setTimeout(() => setToasts((old) => old.filter((other) => other !== one)), TOAST_MS);
  };
  useEffect(() => {
    const loadChoices = () => ask("GET", "api/1/choices").then(setChoices, () => setTimeout(loadChoices, 2000));
    loadChoices();
    follow((kind, data) => {
      if (kind === "Job" && ["done", "failed", "skipped"].includes(data.state)) setAnnouncement(`${data.label}: ${data.state}`);
      load();
    }, (up) => { setIsUp(up); if (up) load(); });
  }, []);
  useEffect(() => {
    const busy = queue.counts.running ?? 0;
    document.title = busy ? `(${busy}) reel` : "reel";
  }, [queue.counts.running]);

  useTick(queue.counts.running > 0);

  const act = (method, path, body) => ask(method, path, body)
    .catch((error) => toast(html`${sentence(error.message)} ${sentence(error.hint)}`)).then(load);
  const actions = {
    cancel: (job) => act("DELETE", `api/1/jobs/${job.id}`),
    retry: (job) => act("POST", `api/1/jobs/${job.id}/retry`, {}),
    first: (job) => act("PATCH", `api/1/jobs/${job.id}`, { priority: highest(queue.jobs) + 1 }),
    toggle: (job) => setOpen((old) => { const set = new Set(old); if (!set.delete(job.id)) set.add(job.id); return set; }),
  };
  const choose = (name) => {
    setTab(name);
    setLimit(PAGE);
    history.replaceState(null, "", name === "all" ? "." : `.?show=${name}`);
  };

  return html`
    <a class="unseen skip" href="#queue">Go to the queue</a>
    <header class="bar"><a class="name" href="." aria-label="reel, queue">${mark()} reel</a><span class="grow"></span>
      ${!isUp && html`<span class="chip" data-state="bad">not connected, trying again</span>`}
      ${choices?.asks_for_token && html`<button class="button quiet small" onClick=${logOut}>Log out</button>`}</header>
    <main class="page queue-page">
      <h1 class="unseen">Jobs of reel</h1>
      <${NewJob} choices=${choices} submitted=${load}
        failed=${(error, name) => toast(html`<bdi>${name}</bdi>: ${sentence(error.message)}`)} />
      <section id="queue" class="stack" aria-labelledby="queue-title" tabindex="-1">
        <div class="spread"><h2 id="queue-title">Queue</h2><${Tabs} tab=${tab} counts=${queue.counts} choose=${choose} /></div>
        ${(numberOf(queue.counts) > SEARCHED || name) && html`<input type="search" aria-label="Find jobs by name"
          placeholder="Find jobs by name" value=${name} onInput=${(event) => { setName(event.target.value); setLimit(PAGE); }} />`}
        ${queue.setUp.map((one) => html`<${SetUp} key=${one.what} one=${one} />`)}
        ${queue.refusal && queue.jobs && html`<${Refused} refusal=${queue.refusal} />`}
        <${List} queue=${queue} open=${open} languages=${choices?.languages ?? []} actions=${actions} tab=${tab} name=${name} />
        ${queue.jobs?.length >= limit && html`<button class="button" onClick=${() => setLimit(limit + PAGE)}>Show more</button>`}
      </section>
    </main>
    <footer class="page-foot faint small">reel ${choices?.version} · <a href="openapi.json">interface for programs</a> ·
      with <a href="static/vendor/htm.LICENSE.txt">htm</a> and <a href="static/vendor/preact.LICENSE.txt">Preact</a></footer>
    <p class="unseen" role="status">${announcement}</p>
    <div class="toasts" role="alert">${toasts.map((one) => html`<p key=${one.key} class="toast" data-state=${one.state}>
      ${icon("warning")}<span class="grow">${one.text}</span></p>`)}</div>`;
}

/** Draw again each second, as long as a time on the page goes on. */
function useTick(goesOn) {
  const [, tick] = useState(0);
  useEffect(() => {
    if (!goesOn) return undefined;
    const timer = setInterval(() => tick((number) => number + 1), TICK_MS);
    return () => clearInterval(timer);
  }, [goesOn]);
}

/** Return the highest priority of the jobs that wait. */
function highest(jobs) {
  return Math.max(0, ...jobs.filter((job) => job.state === "queued").map((job) => job.priority));
}

async function logOut() {
  await ask("DELETE", "api/1/login");
  location.reload();
}

/** Return the number of jobs in these states, or in all. */
function numberOf(counts, states = []) {
  return (states.length ? states : Object.keys(counts)).reduce((sum, one) => sum + (counts[one] ?? 0), 0);
}

function Tabs({ tab, counts, choose }) {
  const shown = TABS.filter(([name, , states]) => name !== "other" || numberOf(counts, states) || tab === name);
  return html`<div class="choice" role="group" aria-label="Jobs to show">${shown.map(([name, words, states]) => html`
    <button key=${name} aria-pressed=${tab === name} onClick=${() => choose(name)}>${words}
      <span class="faint figures"> ${numberOf(counts, states).toLocaleString()}</span></button>`)}</div>`;
}

function SetUp({ one }) {
  const part = one.total_bytes ? `${size(one.done_bytes)} of ${size(one.total_bytes)}` : "";
  return html`<div class="panel inside stack"><p>Setting up ${one.what} <span class="soft figures">${part}</span></p>
    ${one.total_bytes ? html`<progress max=${one.total_bytes} value=${one.done_bytes}
      aria-label=${`Setting up ${one.what}`}></progress>` : ""}</div>`;
}

/** The jobs, or a word on why there are none. */
function List({ queue, open, languages, actions, tab, name }) {
  if (queue.refusal && !queue.jobs) return html`<${Refused} refusal=${queue.refusal} />`;
  if (!queue.jobs) {
    const rows = [1, 2, 3].map((key) => html`<div class="panel inside" key=${key}><div class="waiting"></div></div>`);
    return html`<div class="stack"><span class="unseen">Loading</span>${rows}</div>`;
  }
  if (!queue.jobs.length) {
    return html`<div class="panel empty">${icon("film")}
      ${tab === "all" && !name ? html`<p class="strong">Nothing here yet</p><p>Drop a film, a talk or a recording into “New job”.
        Its subtitles and its transcript will be here.</p>` : html`<p>There is no such job.</p>`}</div>`;
  }
  const rows = queue.jobs.map((job) => html`<${JobRow} key=${job.id} job=${job} work=${queue.work[job.id]}
    review=${queue.reviews[job.folder]} isOpen=${open.has(job.id)} languages=${languages} actions=${actions} />`);
  return html`<ul class="stack jobs" aria-busy=${!queue.refusal && (queue.tab !== tab || queue.name !== name)} aria-label=${count(queue.jobs.length, "job")}>
    ${rows}</ul>`;
}

render(html`<${Page} />`, document.getElementById("page"));

// Asks for new jobs: files from this computer or from the folders of the server, what to make of them, and how.

import { html, useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { icon } from "../common/icons.js";
import { ask, Refusal } from "../common/server.js";
import { capital, sentence, size } from "../common/words.js";
import { FileUpload } from "./file_upload.js";
import { FolderDialog } from "./folder_dialog.js";
import { LanguageField } from "./language_field.js";
import { PlanView } from "./plan_view.js";

const PLAN_AFTER_MS = 250;

/** Return the body of a request for jobs with these choices. */
function wanted(choices, form) {
  const recipe = choices.recipes.find((one) => one.name === form.recipe);
  return {
    recipe: form.recipe,
    ...(recipe?.takes_targets ? { to: form.to } : { to: [] }),
    ...(form.profile && { profile: form.profile }),
    ...(form.guide !== choices.defaults.guide && { guide: form.guide }),
    ...(form.language.length && { language: form.language[0] }),
  };
}

/** The panel. `submitted` is called after each job, with its name; `failed` with a refusal. */
export function NewJob({ choices, submitted, failed }) {
  const [form, setForm] = useState(null);
  const [chosen, setChosen] = useState([]); // {key, name, bytes, path} or {…, upload, body: once it is wanted}
  const [isPicking, setIsPicking] = useState(false);
  const [isOver, setIsOver] = useState(false);
  const [isSending, setIsSending] = useState(false);
  const [, redraw] = useState(0);
  const list = useRef(chosen);
  list.current = chosen;
  const { plan, refusal, file } = usePlan(choices, form, chosen);

  useEffect(() => {
    const { named_profile: isNamed, profile } = choices?.defaults ?? {};
    if (choices) setForm({ ...choices.defaults, profile: isNamed ? profile : "", language: [] });
  }, [choices]);
  useEffect(() => acceptDrops(setIsOver, addFiles), []);

  const update = (items) => { list.current = items; setChosen(items); };
  const remove = (item) => {
    item.upload?.stop();
    update(list.current.filter((one) => one.key !== item.key));
  };

  function addFiles(files) {
    const added = [...files].map((one) => ({
      key: `${one.name}|${one.size}|${one.lastModified}`, name: one.name, bytes: one.size, file: one,
    }));
    const fresh = added.filter((one) => !list.current.some((other) => other.key === one.key));
    for (const item of fresh) item.upload = new FileUpload(item.file, () => redraw((number) => number + 1));
    update([...list.current, ...fresh]);
    sendInTurn();
  }

  function addPicked(files) {
    const fresh = files.filter((one) => !list.current.some((other) => other.key === one.path));
    update([...list.current, ...fresh.map((one) => ({ ...one, key: one.path }))]);
  }

  /** Upload one file after the other: several at once would only share the connection. */
  const isUploading = useRef(false);
  async function sendInTurn() {
    if (isUploading.current) return;
    isUploading.current = true;
    for (;;) {
      const next = list.current.find((one) => one.upload && one.upload.state === "sending");
      if (!next) break;
      await next.upload.run();
      const item = list.current.find((one) => one.key === next.key);
      if (item?.body && item.upload.state === "sent") await submit(item, item.body);
    }
    isUploading.current = false;
  }

  async function submit(item, body) {
    const what = item.path ? { path: item.path } : { upload: item.upload.id };
    try {
      const job = await ask("POST", "api/1/jobs", { ...body, ...what });
      update(list.current.filter((one) => one.key !== item.key));
      submitted(job);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      update(list.current.map((one) => (one.key === item.key ? { ...one, body: null, refusal: error } : one)));
      failed(error, item.name);
    }
  }

  async function start(event) {
    event.preventDefault();
    setIsSending(true);
    const body = wanted(choices, form);
    const ready = list.current.filter((one) => one.path || one.upload.state === "sent");
    update(list.current.map((one) => (ready.includes(one) || one.body ? one : { ...one, body })));
    for (const item of ready) await submit(item, body);
    setIsSending(false);
  }

  if (!form) {
    return html`<section class="panel new-job"><div class="inside stack">
      <div class="waiting"></div><div class="waiting"></div></div></section>`;
  }
  const open = chosen.filter((one) => !one.body);
  const recipe = choices.recipes.find((one) => one.name === form.recipe);
  const profile = choices.profiles.find((one) => one.name === (form.profile || choices.defaults.profile));
  const set = (change) => setForm({ ...form, ...change });
  return html`<section class="panel new-job" aria-labelledby="new-title">
    <form class="inside stack" onSubmit=${start}>
      <h2 id="new-title">New job</h2>
      <label class="drop" data-over=${isOver}>
        <input type="file" multiple class="unseen" 
          onChange=${(event) => { addFiles(event.target.files); event.target.value = ""; }} />
        ${icon("upload")}<span><span class="strong">Drop ${recipe?.reads_pages ? "PDF or picture" : "media"} files here</span><br />
        <span class="soft">or <span class="like-link">choose files</span> of this computer</span></span>
      </label>
      ${choices.has_folders && html`<button type="button" class="button" onClick=${() => setIsPicking(true)}>
        ${icon("folder")} Choose from the server's folders</button>`}
      <${Chosen} items=${chosen} remove=${remove} />
      <div class="field"><label for="recipe">What to make</label>
        <select id="recipe" value=${form.recipe} onChange=${(event) => set({ recipe: event.target.value })}>
          ${choices.recipes.map((one) => html`<option key=${one.name} value=${one.name}>${capital(one.name)}</option>`)}
        </select><p class="hint">${sentence(recipe?.summary)}</p></div>
      ${recipe?.takes_targets && html`<${LanguageField} id="to"
        label=${recipe.needs_target ? "Translate into" : "Translate into (optional)"}
        hint="Hindi, português, zh-Hant" languages=${choices.languages} chosen=${form.to} change=${(to) => set({ to })} />`}
      <details class="more"><summary>More choices</summary><div class="stack">
        <div class="field"><label for="profile">Models</label>
          <select id="profile" value=${form.profile} onChange=${(event) => set({ profile: event.target.value })}>
            <option value="">${choices.defaults.named_profile ? "As the server was started" : "What suits the server"}${
              `: ${capital(choices.defaults.profile)}`}</option>
            ${choices.profiles.map((one) => html`<option key=${one.name} value=${one.name}>
              ${capital(one.name)}${one.suits ? "" : " (too slow here)"}</option>`)}
          </select><p class="hint">${sentence(profile?.summary)}</p></div>
        <${LanguageField} id="language" label="Spoken language" hint="found by itself" one=${true}
          languages=${choices.languages} chosen=${form.language} change=${(language) => set({ language })} />
        <div class="field"><label for="guide">Limits of subtitles</label>
          <select id="guide" value=${form.guide} onChange=${(event) => set({ guide: event.target.value })}>
            ${choices.guides.map((one) => html`<option key=${one.name} value=${one.name}>${capital(one.name)}</option>`)}
          </select><p class="hint">${sentence(choices.guides.find((one) => one.name === form.guide)?.summary)}</p></div>
      </div></details>
      <${PlanView} plan=${plan} refusal=${refusal} file=${file} />
      <button class="button primary" disabled=${!open.length || isSending || !!refusal}>
        ${open.length > 1 ? `Start ${open.length} jobs` : "Start"}</button>
    </form>
    ${isPicking && html`<${FolderDialog} pages=${!!recipe?.reads_pages} close=${() => setIsPicking(false)} pick=${addPicked} />`}
  </section>`;
}

/** The files that are chosen, with how far each has come. */
function Chosen({ items, remove }) {
  if (!items.length) return null;
  return html`<ul class="chosen-files" aria-label="Chosen files">${items.map((item) => html`<li key=${item.key}>
    <div class="row">${icon(item.path ? "folder" : "file")}<bdi class="grow cut" title=${item.path ?? item.name}>${item.name}</bdi>
      <span class="faint figures">${size(item.bytes)}</span>
      <button type="button" class="button quiet small" aria-label=${`Remove ${item.name}`}
        onClick=${() => remove(item)}>${icon("close")}</button></div>
    ${item.upload && html`<${Sent} item=${item} />`}
    ${item.refusal && html`<p class="wrong">${sentence(item.refusal.message)} ${sentence(item.refusal.hint)}</p>`}
  </li>`)}</ul>`;
}

function Sent({ item }) {
  const { upload } = item;
  if (upload.state === "failed") return html`<p class="wrong">${sentence(upload.error.message)} ${sentence(upload.error.hint)}</p>`;
  if (upload.state === "sent") return html`<p class="upload faint small">uploaded</p>`;
  const wait = upload.state === "waiting" ? "waits for the server, then goes on" : "";
  const part = upload.file.size ? Math.floor((100 * upload.offset) / upload.file.size) : 100;
  return html`<div class="upload"><progress max=${upload.file.size || 1} value=${upload.offset} aria-label=${`Upload of ${item.name}`}></progress>
    <p class="faint small figures">${wait || `${part} %`}${item.body ? "; starts by itself" : ""}</p></div>`;
}

/** Return the plan for the form and the first file that the server has, a little after each change. */
function usePlan(choices, form, chosen) {
  const [state, setState] = useState({});
  const first = chosen.find((one) => one.path || one.upload?.state === "sent");
  const which = first && (first.path ? { path: first.path } : { upload: first.upload.id });
  const body = form && { ...wanted(choices, form), ...which };
  const bodyText = JSON.stringify(body);
  useEffect(() => {
    if (!form) return undefined;
    const stop = new AbortController();
    const timer = setTimeout(() => {
      ask("POST", "api/1/plan", body, { signal: stop.signal }).then(
        (plan) => setState({ plan, file: first?.name }),
        (error) => error instanceof Refusal && error.status && setState({ refusal: error }),
      );
    }, PLAN_AFTER_MS);
    return () => { clearTimeout(timer); stop.abort(); };
  }, [bodyText]);
  return state;
}

/** Take files that are dropped anywhere on the page, so that one that misses does not replace it. */
function acceptDrops(over, take) {
  const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const handlers = {
    dragover: (event) => hasFiles(event) && (event.preventDefault(), over(true)),
    dragleave: (event) => event.relatedTarget === null && over(false),
    drop: (event) => hasFiles(event) && (event.preventDefault(), over(false), take(event.dataTransfer.files)),
  };
  for (const [kind, handler] of Object.entries(handlers)) addEventListener(kind, handler);
  return () => { for (const [kind, handler] of Object.entries(handlers)) removeEventListener(kind, handler); };
}

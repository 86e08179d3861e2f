// Dialog that picks media files in the folders of the server.

import { html, useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { icon } from "../common/icons.js";
import { ask } from "../common/server.js";
import { count, Refused, size } from "../common/words.js";

/**
 * Dialog over the page. With `pages` it shows PDF and picture files instead of films and sound. `pick` gets the files,
 * each with `name`, `path` and `bytes`; `close` is called at its end.
 */
export function FolderDialog({ pages, pick, close }) {
  const [path, setPath] = useState("");
  const [listing, setListing] = useState(null);
  const [error, setError] = useState(null);
  const [picked, setPicked] = useState([]);
  const dialog = useRef(null);

  useEffect(() => dialog.current.showModal(), []);
  useEffect(() => {
    let gone = false;
    setError(null);
    ask("GET", `api/1/folders?pages=${pages}&path=${encodeURIComponent(path)}`).then((found) => {
      if (gone) return;
      // With one media folder there is nothing to choose between.
      if (!path && found.folders.length === 1) setPath(found.folders[0].path);
      else setListing(found);
    }, (refusal) => !gone && setError(refusal));
    return () => { gone = true; };
  }, [path]);

  const isPicked = (file) => picked.some((one) => one.path === file.path);
  const toggle = (file) => setPicked(isPicked(file) ? picked.filter((one) => one.path !== file.path) : [...picked, file]);
  const all = () => setPicked([...picked, ...listing.files.filter((file) => !isPicked(file))]);
  const done = () => { pick(picked); dialog.current.close(); };

  return html`<dialog ref=${dialog} aria-labelledby="folder-title" onClose=${close} class="folders">
    <header class="spread"><h2 id="folder-title">Choose from the folders of the server</h2>
      <button class="button quiet small" aria-label="Close" onClick=${() => dialog.current.close()}>${icon("close")}</button>
    </header>
    <div class="inside stack">
      ${listing && html`<div class="spread">
        <div class="row grow">${listing.path && html`<button class="button small" onClick=${() => setPath(listing.parent)}>
          ${icon("up")} Up</button>`}<bdi class="fixed grow cut" title=${listing.path}>${listing.path}</bdi></div>
        ${listing.files.length > 1 && html`<button class="button small quiet" onClick=${all}>Choose all</button>`}
      </div>`}
      ${error && html`<${Refused} refusal=${error} />`}
      ${!listing && !error && html`<div class="waiting"><span class="unseen">Loading</span></div>`}
      ${listing && html`<ul class="entries">
        ${listing.folders.map((folder) => html`<li key=${folder.path}>
          <button class="entry" onClick=${() => setPath(folder.path)}>${icon("folder")}<bdi class="grow">${folder.name}</bdi>
          ${icon("open")}</button></li>`)}
        ${listing.files.map((file) => html`<li key=${file.path}><label class="entry">
          <input type="checkbox" checked=${isPicked(file)} onChange=${() => toggle(file)} />
          <bdi class="grow">${file.name}</bdi><span class="faint figures">${size(file.bytes)}</span></label></li>`)}
        ${listing.more > 0 && html`<li class="soft entry">and ${count(listing.more, "file")} more</li>`}
        ${listing.folders.length + listing.files.length === 0
          && html`<li class="empty">${pages ? "No PDF or picture here." : "No media file here."}</li>`}
      </ul>`}
    </div>
    <footer>
      <button class="button" onClick=${() => dialog.current.close()}>Cancel</button>
      <button class="button primary" disabled=${!picked.length} onClick=${done}>
        ${picked.length ? `Choose ${count(picked.length, "file")}` : "Choose"}</button>
    </footer>
  </dialog>`;
}

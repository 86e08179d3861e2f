/**
 * Offers to have a copy of the picture made that the browser plays, where it shows only stills. The job is one of the
 * queue; pressing the button again cancels it.
 */

import { tell } from "../dialogs/dialogs.js";
import { show } from "../elements.js";

const LOOK_MS = 700;
const OFFER = "Make a moving picture";

/** Offer a copy of `picture` by a button, whenever it shows only stills. */
export function offerCopy(api, picture, button) {
  let job = null;
  const showOffer = () => {
    job = null;
    button.textContent = OFFER;
    button.title = "A small copy of the film that this browser plays";
    show(button, picture.wantsCopy);
  };
  const look = async () => {
    const [{ state, error }, { steps }] = await Promise.all([api.job(job), api.work(job)]);
    if (state === "queued" || state === "running") {
      const done = steps.find((one) => one.step === "proxy")?.done;
      button.textContent = state === "queued" ? "Waiting for the queue …" : `Making it: ${Math.round(100 * (done ?? 0))} %`;
      button.title = "Press to cancel";
      setTimeout(() => look().catch(failed), LOOK_MS);
      return;
    }
    showOffer();
    if (state === "done") picture.showFilm({ url: api.href("proxy"), offsetMs: 0 });
    else if (error) failed(error);
    show(button, picture.wantsCopy);
  };
  const failed = ({ message, hint }) => {
    showOffer();
    tell([message, hint].filter(Boolean).join(" "), { state: "bad", stays: true });
  };
  const press = async () => {
    if (job) return api.cancel(job);
    ({ job } = await api.makeCopy());
    return look();
  };
  button.addEventListener("click", async () => {
    button.disabled = true; // until the server has answered
    await press().catch(failed);
    button.disabled = false;
  });
  picture.addEventListener("stills", showOffer);
  showOffer();
}

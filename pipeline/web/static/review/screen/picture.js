/**
 * Shows the picture that belongs to the sound: the film itself, muted and slaved, or stills, or a sentence why there is
 * none. A film that turns out not to show a picture gives way to stills: browsers say that they can play a codec and
 * then show nothing, without an error.
 */

import { show } from "../elements.js";

const FAR_MS = 300; // beyond it the film jumps, below it runs a little faster or slower
const CLOSE_MS = 40;
const NUDGE = 0.08;

/** The picture. `screen` holds `video`, `img` and a place for words. */
export class Picture {
  #player;
  #parts;
  #still = -1;

  /** @param parts `{video, still, words}` @param source `{tier, url, offsetMs, stills}`, see `facts.js` */
  constructor(player, parts, source) {
    this.#player = player;
    this.#parts = parts;
    this.source = source;
    if (source.tier === "film") this.#showFilm();
    else this.#showStills(source.why);
    player.addEventListener("time", () => this.#follow());
    player.addEventListener("state", () => this.#follow());
  }

  #showFilm() {
    const { video } = this.#parts;
    video.muted = true;
    video.src = this.source.url;
    video.addEventListener("loadeddata", () => {
      if (!video.videoWidth) this.#showStills("this browser does not show the film's picture");
    });
    video.addEventListener("error", () => this.#showStills("this browser cannot play the film"));
    show(video, true);
    show(this.#parts.words, false);
  }

  /** Show stills, or say why there is no picture. */
  #showStills(why) {
    const { video, still, words } = this.#parts;
    video.removeAttribute("src");
    video.load();
    this.source = { ...this.source, tier: "stills" };
    const { times } = this.source.stills;
    show(video, false);
    show(still, times.length > 0);
    show(words, !times.length);
    words.textContent = times.length ? "" : (why ?? "no picture: a sound recording");
    still.title = why ?? "";
    still.addEventListener("error", () => {
      show(still, false);
      show(words, true);
      words.textContent = "the still cannot be shown";
    }, { once: true });
    this.#follow();
  }

  #follow() {
    if (this.source.tier === "film") this.#slave(this.#parts.video);
    else this.#followStills();
  }

  #slave(video) {
    const wantedMs = this.#player.timeMs + this.source.offsetMs;
    const lateMs = wantedMs - video.currentTime * 1000;
    if (Math.abs(lateMs) > FAR_MS || (!this.#player.isPlaying && Math.abs(lateMs) > CLOSE_MS)) {
      if (!video.seeking) video.currentTime = Math.max(0, wantedMs) / 1000;
    }
    const nudge = Math.abs(lateMs) > CLOSE_MS ? Math.sign(lateMs) * NUDGE : 0;
    video.playbackRate = this.#player.rate * (1 + nudge);
    if (this.#player.isPlaying && video.paused) video.play().catch(() => {});
    else if (!this.#player.isPlaying && !video.paused) video.pause();
  }

  #followStills() {
    const { times, url } = this.source.stills;
    let place = times.findLastIndex((timeMs) => timeMs <= this.#player.timeMs + 1);
    place = Math.max(place, 0);
    if (!times.length || place === this.#still) return;
    this.#still = place;
    this.#parts.still.src = url(place);
  }
}

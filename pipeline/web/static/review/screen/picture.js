/**
 * Shows the picture that belongs to the sound: the film itself or a copy of it, muted and slaved, or stills, or a
 * sentence why there is none. A film that turns out not to show a picture gives way to the next: browsers say that they
 * can play a codec and then show nothing, without an error.
 */

import { show } from "../elements.js";

const FAR_MS = 300; // beyond it the film jumps, below it runs a little faster or slower
const CLOSE_MS = 40;
const NUDGE = 0.08;

/** The picture. Emits `stills` when no film is left that could be shown. */
export class Picture extends EventTarget {
  #player;
  #parts;
  #source;
  #film = null; // the one that is shown
  #left;
  #still = -1;

  /** @param parts `{video, still, words}` @param source `{films, why, canBeCopied, stills}`, see `facts.js` */
  constructor(player, parts, source) {
    super();
    this.#player = player;
    this.#parts = parts;
    this.#source = source;
    this.#left = [...source.films];
    const { video } = parts;
    video.muted = true;
    video.addEventListener("loadeddata", () => {
      if (this.#film && !video.videoWidth) this.#showNext("this browser does not show the film's picture");
    });
    video.addEventListener("error", () => this.#film && this.#showNext("this browser cannot play the film"));
    player.addEventListener("time", () => this.#follow());
    player.addEventListener("state", () => this.#follow());
    this.#showNext(source.why);
  }

  /** Tell whether a copy would show more than this does. */
  get wantsCopy() {
    return !this.#film && this.#source.canBeCopied;
  }

  /** Show a film that has come since. */
  showFilm(film) {
    this.#left = [film];
    this.#showNext(this.#source.why);
  }

  /** Show the next film, or stills. */
  #showNext(why) {
    const { video, still, words } = this.#parts;
    this.#film = this.#left.shift() ?? null;
    if (!this.#film) return this.#showStills(why);
    video.src = this.#film.url;
    show(video, true);
    show(still, false);
    show(words, false);
  }

  /** Show stills, or say why there is no picture. */
  #showStills(why) {
    const { video, still, words } = this.#parts;
    video.removeAttribute("src");
    video.load();
    const { times } = this.#source.stills;
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
    this.dispatchEvent(new Event("stills"));
  }

  #follow() {
    if (this.#film) this.#slave(this.#parts.video);
    else this.#followStills();
  }

  #slave(video) {
    const wantedMs = this.#player.timeMs + this.#film.offsetMs;
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
    const { times, url } = this.#source.stills;
    let place = times.findLastIndex((timeMs) => timeMs <= this.#player.timeMs + 1);
    place = Math.max(place, 0);
    if (!times.length || place === this.#still) return;
    this.#still = place;
    this.#parts.still.src = url(place);
  }
}

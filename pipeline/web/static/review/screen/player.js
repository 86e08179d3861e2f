/**
 * Plays the sound that the models heard. The sound is the clock of the page: the picture, the subtitles and the
 * waveform follow it. Times are milliseconds of the transcript.
 */

/** The sound. Emits `time` on each frame while it plays and after each seek, and `state` when it starts or stops. */
export class Player extends EventTarget {
  #audio;
  #untilMs = null;
  #frame = 0;

  /** @param {HTMLAudioElement} audio */
  constructor(audio) {
    super();
    this.#audio = audio;
    audio.preservesPitch = true;
    for (const name of ["play", "pause", "ended", "ratechange"]) audio.addEventListener(name, () => this.#tellState());
    audio.addEventListener("seeked", () => this.#tellTime());
    audio.addEventListener("timeupdate", () => this.#tellTime()); // a tab in the background has no frames
    audio.addEventListener("error", () => this.dispatchEvent(new Event("failed")));
  }

  /** Return the time that is heard. Chromium goes to 8.039999 for 8.04, where the cue of that time does not stand yet. */
  get timeMs() {
    return Math.round(this.#audio.currentTime * 1000);
  }

  get isPlaying() {
    return !this.#audio.paused;
  }

  /** Tell whether it plays on and on, not a stretch only. */
  get isPlayingOn() {
    return this.isPlaying && this.#untilMs === null;
  }

  get rate() {
    return this.#audio.playbackRate;
  }

  set rate(rate) {
    this.#audio.playbackRate = Math.min(Math.max(rate, 0.5), 2.5);
  }

  /** Go to a time; what plays goes on there. */
  seek(timeMs) {
    this.#untilMs = null;
    this.#audio.currentTime = Math.max(0, timeMs) / 1000;
    this.#tellTime();
  }

  /** Play from here on, or stop. */
  toggle() {
    this.#untilMs = null;
    if (this.isPlaying) this.pause();
    else this.#start();
  }

  /** Play from a time on. */
  playFrom(timeMs) {
    this.seek(timeMs);
    this.#start();
  }

  pause() {
    this.#audio.pause();
  }

  /** Play a stretch once. */
  playSpan(startMs, endMs, rate = null) {
    if (rate) this.#audio.playbackRate = rate;
    this.seek(startMs);
    this.#untilMs = endMs;
    this.#start();
  }

  #start() {
    // A browser refuses before the first key or press on the page; the button to play is there then.
    this.#audio.play().catch(() => this.#tellState());
  }

  #tellState() {
    cancelAnimationFrame(this.#frame);
    if (this.isPlaying) this.#follow();
    this.dispatchEvent(new Event("state"));
  }

  #follow() {
    this.#tellTime();
    if (this.isPlaying) this.#frame = requestAnimationFrame(() => this.#follow());
  }

  #tellTime() {
    if (this.#untilMs !== null && this.timeMs >= this.#untilMs && this.isPlaying) {
      this.pause();
      this.#untilMs = null;
    }
    this.dispatchEvent(new Event("time"));
  }
}

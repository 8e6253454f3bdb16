// Tones for the desk. Browsers let nothing sound before the person has touched the page.

const REPEAT_MS = 2500;

export class Sound {
  /** @type {AudioContext | null} */ #context = null;
  /** @type {number | undefined} */ #timer;
  volume = 0.6;
  muted = false;

  /** Whether tones can be heard at all. */
  get awake() {
    return this.#context?.state === "running";
  }

  /** From a click or key: wakes the audio and plays a test tone. */
  async start() {
    this.#context ??= new AudioContext();
    await this.#context.resume();
    this.#tones([[660, 0], [880, 0.18]]);
  }

  /** Once, for level II. */
  chime() {
    this.#tones([[740, 0], [590, 0.22]]);
  }

  /** Again and again, for level I, until told to stop. @param {boolean} on */
  repeat(on) {
    if (on && this.#timer === undefined) {
      const ring = () => this.#tones([[880, 0], [660, 0.2], [880, 0.4], [660, 0.6]]);
      ring();
      this.#timer = setInterval(ring, REPEAT_MS);
    } else if (!on) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }

  /** @param {readonly (readonly [number, number])[]} notes frequency in Hz, start in s */
  #tones(notes) {
    const context = this.#context;
    if (!context || context.state !== "running" || this.muted) return;
    for (const [frequency, at] of notes) {
      const begin = context.currentTime + at;
      const tone = new OscillatorNode(context, { frequency, type: "triangle" });
      const gain = new GainNode(context, { gain: 0 });
      gain.gain.setValueAtTime(0, begin);
      gain.gain.linearRampToValueAtTime(this.volume * 0.5, begin + 0.02);
      gain.gain.exponentialRampToValueAtTime(0.001, begin + 0.17);
      tone.connect(gain).connect(context.destination);
      tone.start(begin);
      tone.stop(begin + 0.18);
    }
  }
}

// The time left, as an unobtrusive bar and digits, and its end, accurate to one frame.

export class Countdown {
  constructor(element) {
    this.element = element;
    this.left = element.querySelector("#left");
    this.digits = element.querySelector("#seconds");
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
  }

  // Count down to `deadline` (performance.now) out of `limit` ms, then call `ended`.
  start(deadline, limit, ended) {
    this.stop();
    this.ended = ended;
    this.deadline = deadline;
    this.limit = limit;
    this.element.hidden = false;
    this.#tick();
  }

  // The server allows less time than assumed.
  shorten(deadline) {
    if (this.deadline === null || deadline >= this.deadline) return;
    this.deadline = deadline;
    clearTimeout(this.timer);
    this.#alarm();
  }

  stop() {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
    this.deadline = null;
    this.element.hidden = true;
  }

  #tick() {
    this.#draw();
    this.#alarm();
    const step = () => {
      if (this.deadline === null) return;
      if (performance.now() >= this.deadline) return this.#end();
      this.#draw();
      this.frame = requestAnimationFrame(step);
    };
    this.frame = requestAnimationFrame(step);
  }

  // A page in the background gets no frames, but its time still ends.
  #alarm() {
    this.timer = setTimeout(() => this.#end(), this.deadline - performance.now());
  }

  #end() {
    if (this.deadline === null) return;
    this.stop();
    this.ended();
  }

  #draw() {
    const left = Math.max(0, this.deadline - performance.now());
    const seconds = Math.ceil(left / 1000);
    this.left.style.transform = `scaleX(${(this.still.matches ? 1000 * seconds : left) / this.limit})`;
    if (this.digits.textContent !== String(seconds)) this.digits.textContent = seconds;
  }
}

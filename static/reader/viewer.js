// The radiograph on the stage: painted at once, gone at once; zoomed, moved, windowed, and how much of that was used.

const CLOSEST = 8; // largest magnification
const LENS_ZOOM = 2.5;

export class Viewer {
  constructor(stage) {
    this.stage = stage;
    this.canvas = stage.querySelector("#image");
    this.lens = stage.querySelector("#lens");
    this.transfer = [...stage.querySelectorAll("#window [type=linear]")];
    this.#reset();
    this.hide();
  }

  // Paint `bitmap`; resolves, when it is on the screen, with that moment (performance.now).
  async show(bitmap) {
    this.#reset();
    this.canvas.width = bitmap.width;
    this.canvas.height = bitmap.height;
    this.canvas.getContext("2d").drawImage(bitmap, 0, 0);
    this.canvas.hidden = false;
    this.#place();
    await frame(); // its frame is being made
    return frame(); // and now it has been shown
  }

  get shown() {
    return !this.canvas.hidden;
  }

  hide() {
    this.#count();
    this.canvas.hidden = true;
    this.lens.hidden = true;
  }

  // Show again what was hidden.
  reveal() {
    this.canvas.hidden = this.canvas.width === 1;
  }

  forget() {
    this.hide();
    this.canvas.width = this.canvas.height = 1; // drops the pixels
  }

  // Everything as it was when the image came.
  fit() {
    this.#count();
    Object.assign(this, { scale: 1, x: 0, y: 0, brightness: 0, contrast: 0, inverted: false });
    this.#place();
  }

  // Magnify `factor` times more, keeping the point (x, y) of the stage where it is.
  zoom(factor, x = this.stage.clientWidth / 2, y = this.stage.clientHeight / 2) {
    this.#count();
    const scale = Math.min(CLOSEST, Math.max(1, this.scale * factor));
    this.x = x - ((x - this.x) * scale) / this.scale;
    this.y = y - ((y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.used.zoom_max = Math.max(this.used.zoom_max, Math.round(100 * scale) / 100);
    this.#place();
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.#place();
  }

  // Brightness and contrast, each from -100 to 100; 0 = as it is.
  window(brightness, contrast) {
    const within = (value) => Math.min(100, Math.max(-100, value));
    this.brightness = within(brightness);
    this.contrast = within(contrast);
    this.used.windowed = true;
    this.#place();
  }

  invert() {
    this.inverted = !this.inverted;
    this.used.inverted += 1;
    this.#place();
  }

  toggleLens() {
    this.#count();
    this.lensOn = !this.lensOn;
    this.lensAt(this.stage.clientWidth / 2, this.stage.clientHeight / 2);
  }

  // Bring the magnifier over the point (x, y) of the stage.
  lensAt(x, y) {
    Object.assign(this, { lensX: x, lensY: y });
    this.#place();
  }

  // What the answer's record says of the viewer's use.
  get record() {
    this.#count();
    const { zoom_ms, lens_ms } = this.used;
    return { ...this.used, zoom_ms: Math.round(zoom_ms), lens_ms: Math.round(lens_ms), full_screen: !!document.fullscreenElement };
  }

  #reset() {
    this.used = { zoom_max: 1, windowed: false, zoom_ms: 0, inverted: 0, lens_ms: 0 };
    Object.assign(this, { scale: 1, x: 0, y: 0, brightness: 0, contrast: 0, inverted: false, since: performance.now() });
    this.lensOn = false;
  }

  // Add up the time spent magnified; called before anything about that changes.
  #count() {
    const now = performance.now();
    if (this.shown && this.scale > 1) this.used.zoom_ms += now - this.since;
    if (this.shown && this.lensOn) this.used.lens_ms += now - this.since;
    this.since = now;
  }

  #place() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    this.x = Math.min(0, Math.max(width * (1 - this.scale), this.x));
    this.y = Math.min(0, Math.max(height * (1 - this.scale), this.y));
    this.canvas.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    const filter = this.brightness || this.contrast || this.inverted ? "url(#window)" : "none";
    this.canvas.style.filter = this.lens.style.filter = filter;
    // Window and level: grey value v is shown as slope * v + intercept.
    const slope = 2 ** (this.contrast / 50);
    const intercept = 0.5 - slope * (0.5 - this.brightness / 200);
    for (const channel of this.transfer) {
      channel.setAttribute("slope", this.inverted ? -slope : slope);
      channel.setAttribute("intercept", this.inverted ? 1 - intercept : intercept);
    }
    this.#drawLens();
    this.stage.dispatchEvent(new CustomEvent("viewed"));
  }

  #drawLens() {
    this.lens.hidden = !(this.lensOn && this.shown);
    if (this.lens.hidden) return;
    const side = this.lens.width;
    const box = this.canvas.getBoundingClientRect(); // the image lies in it, as large as fits, in the middle
    const fitted = Math.min(box.width / this.canvas.width, box.height / this.canvas.height);
    const stage = this.stage.getBoundingClientRect();
    const toImage = (at, from, size, pixels) => (at + from - size / 2) / fitted + pixels / 2;
    const centreX = toImage(this.lensX, stage.left - box.left, box.width, this.canvas.width);
    const centreY = toImage(this.lensY, stage.top - box.top, box.height, this.canvas.height);
    const seen = side / (fitted * LENS_ZOOM);
    const context = this.lens.getContext("2d");
    context.clearRect(0, 0, side, side);
    context.drawImage(this.canvas, centreX - seen / 2, centreY - seen / 2, seen, seen, 0, 0, side, side);
    this.lens.style.transform = `translate(${this.lensX - side / 2}px, ${this.lensY - side / 2}px)`;
  }
}

const frame = () => new Promise((painted) => requestAnimationFrame(() => painted(performance.now())));

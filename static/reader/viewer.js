// The radiograph on the stage, or several in the cells of a grid, with linked zoom and window. Shows and hides them at once; zooms, moves and windows them, and records how much this was used.

const CLOSEST = 8; // largest magnification
const LENS_ZOOM = 2.5;

export class Viewer {
  constructor(stage) {
    this.stage = stage;
    this.cells = [...stage.querySelectorAll(".cell")];
    this.canvases = this.cells.length ? this.cells.map((cell) => cell.querySelector("canvas")) : [stage.querySelector("#image")];
    this.enlarged = null; // the number of the only cell that is shown
    this.lens = stage.querySelector("#lens");
    this.transfer = [...stage.querySelectorAll("#window [type=linear]")];
    this.#reset();
    this.forget();
    if (this.cells.length) new ResizeObserver(() => this.#arrange()).observe(stage);
  }

  // Paint `bitmaps`; resolves when they are on the screen, with that time (performance.now).
  async show(bitmaps) {
    this.draw(bitmaps);
    await frame(); // the frame is being prepared
    return frame(); // and now it has been shown
  }

  // The same without waiting.
  draw(bitmaps) {
    this.#reset();
    bitmaps.forEach((bitmap, number) => {
      const canvas = this.canvases[number];
      canvas.width = bitmap.width;
      canvas.height = bitmap.height;
      canvas.getContext("2d").drawImage(bitmap, 0, 0);
    });
    this.reveal();
    this.#place();
  }

  get shown() {
    return this.pieces.some((piece) => !piece.hidden);
  }

  // What is shown or hidden: the cells, or the single canvas.
  get pieces() {
    return this.cells.length ? this.cells : this.canvases;
  }

  hide() {
    this.#count();
    for (const piece of this.pieces) piece.hidden = true;
    this.lens.hidden = true;
  }

  // Show again what was hidden.
  reveal() {
    this.pieces.forEach((piece, number) => {
      piece.hidden = this.canvases[number].width === 1 || ![null, number].includes(this.enlarged);
    });
    this.#arrange();
  }

  forget() {
    this.hide();
    this.enlarged = null;
    for (const canvas of this.canvases) canvas.width = canvas.height = 1; // discards the pixels
  }

  // Show only the cell with this number, as large as possible; or show all of them again.
  enlarge(number) {
    const before = this.#frame();
    const [width, height] = [before.clientWidth, before.clientHeight];
    this.enlarged = this.enlarged === null ? number : null;
    this.reveal();
    const after = this.#frame();
    this.x *= after.clientWidth / width;
    this.y *= after.clientHeight / height;
    this.#place();
  }

  // Reset everything to its state when the image appeared.
  fit() {
    this.#count();
    Object.assign(this, { scale: 1, x: 0, y: 0, brightness: 0, contrast: 0, inverted: false });
    this.#place();
  }

  // Magnify by a further `factor`, keeping the point (x, y) of the stage in place.
  zoom(factor, x = this.stage.clientWidth / 2, y = this.stage.clientHeight / 2) {
    this.#count();
    [x, y] = this.#within(x, y);
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

  // Brightness and contrast, each from -100 to 100; 0 = unchanged.
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

  // Move the magnifier over the point (x, y) of the stage.
  lensAt(x, y) {
    Object.assign(this, { lensX: x, lensY: y });
    this.#place();
  }

  // The place in an image at the point (x, y) of the page: the image's number, and x and y as shares of its sides; null outside.
  placeAt(x, y) {
    for (const number of this.canvases.keys()) {
      const place = this.#share(number, x, y);
      if (this.pointOf(place) && place.x >= 0 && place.x <= 1 && place.y >= 0 && place.y <= 1) return place;
    }
    return null;
  }

  // The place in the image with this number that is nearest to the point (x, y) of the page.
  placeNear(number, x, y) {
    const place = this.#share(number, x, y);
    const within = (share) => Math.min(1, Math.max(0, share));
    return { number, x: within(place.x), y: within(place.y) };
  }

  // The point of the page at which a place in an image is; null while it is not visible.
  pointOf({ number, x, y }) {
    if (this.pieces[number].hidden) return null;
    const [image, frame] = [this.#drawn(number), this.#frameOf(number)];
    const point = { x: image.left + x * image.width, y: image.top + y * image.height };
    const isSeen = point.x >= frame.left - 1 && point.x <= frame.right + 1 && point.y >= frame.top - 1 && point.y <= frame.bottom + 1;
    return isSeen ? point : null;
  }

  // Move a magnified image so that a place in it becomes visible.
  bring({ number, x, y }) {
    if (this.scale === 1) return;
    const [image, frame] = [this.#drawn(number), this.#frameOf(number)];
    const margin = Math.min(frame.width, frame.height) / 8;
    const off = (at, low, high) => Math.max(low + margin - at, 0) + Math.min(high - margin - at, 0);
    this.pan(off(image.left + x * image.width, frame.left, frame.right), off(image.top + y * image.height, frame.top, frame.bottom));
  }

  #share(number, x, y) {
    const image = this.#drawn(number);
    return { number, x: (x - image.left) / image.width, y: (y - image.top) / image.height };
  }

  #frameOf(number) {
    return (this.cells[number] ?? this.stage).getBoundingClientRect();
  }

  // Where the image itself is on the page: centred in its canvas, as large as possible.
  #drawn(number) {
    const canvas = this.canvases[number];
    const box = canvas.getBoundingClientRect();
    const fitted = Math.min(box.width / canvas.width, box.height / canvas.height);
    const [width, height] = [canvas.width * fitted, canvas.height * fitted];
    return { left: box.left + (box.width - width) / 2, top: box.top + (box.height - height) / 2, width, height };
  }

  // What is stored with the answer about the use of the viewer.
  get record() {
    this.#count();
    const { zoom_ms, lens_ms } = this.used;
    const light = document.documentElement.dataset.theme === "light";
    return { ...this.used, zoom_ms: Math.round(zoom_ms), lens_ms: Math.round(lens_ms), full_screen: !!document.fullscreenElement, light };
  }

  #reset() {
    this.used = { zoom_max: 1, windowed: false, zoom_ms: 0, inverted: 0, lens_ms: 0 };
    Object.assign(this, { scale: 1, x: 0, y: 0, brightness: 0, contrast: 0, inverted: false, since: performance.now() });
    this.lensOn = false;
    this.enlarged = null;
  }

  // The cell at the point (x, y) of the stage, or the first one shown; the stage if there are none.
  #frame(x = -1, y = -1) {
    const stage = this.stage.getBoundingClientRect();
    const shown = this.cells.filter((cell) => !cell.hidden);
    const holds = ({ left, top, right, bottom }) =>
      x + stage.left >= left && x + stage.left < right && y + stage.top >= top && y + stage.top < bottom;
    return shown.find((cell) => holds(cell.getBoundingClientRect())) ?? shown[0] ?? this.stage;
  }

  // The point (x, y) of the stage, in the coordinates of its cell.
  #within(x, y) {
    const [stage, cell] = [this.stage.getBoundingClientRect(), this.#frame(x, y).getBoundingClientRect()];
    return [x + stage.left - cell.left, y + stage.top - cell.top];
  }

  // The number of columns with which the images are largest.
  #arrange() {
    const shown = this.cells.filter((cell) => !cell.hidden);
    if (!shown.length) return;
    const { width, height } = this.canvases[this.cells.indexOf(shown[0])];
    const size = (columns) => {
      const rows = Math.ceil(shown.length / columns);
      return Math.min(this.stage.clientWidth / columns / width, this.stage.clientHeight / rows / height);
    };
    const columns = shown.map((_, number) => number + 1).reduce((best, one) => (size(one) > size(best) ? one : best));
    this.stage.style.setProperty("--columns", columns);
  }

  // Add up the time spent magnified; called before the magnification changes.
  #count() {
    const now = performance.now();
    if (this.shown && this.scale > 1) this.used.zoom_ms += now - this.since;
    if (this.shown && this.lensOn) this.used.lens_ms += now - this.since;
    this.since = now;
  }

  #place() {
    const { clientWidth: width, clientHeight: height } = this.#frame();
    this.x = Math.min(0, Math.max(width * (1 - this.scale), this.x));
    this.y = Math.min(0, Math.max(height * (1 - this.scale), this.y));
    const filter = this.brightness || this.contrast || this.inverted ? "url(#window)" : "none";
    this.lens.style.filter = filter;
    for (const { style } of this.canvases) {
      style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
      style.filter = filter;
    }
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
    const cell = this.#frame(this.lensX, this.lensY);
    const canvas = this.canvases[Math.max(0, this.cells.indexOf(cell))];
    const box = canvas.getBoundingClientRect(); // the image is centred in it, as large as possible
    const fitted = Math.min(box.width / canvas.width, box.height / canvas.height);
    const stage = this.stage.getBoundingClientRect();
    const toImage = (at, from, size, pixels) => (at + from - size / 2) / fitted + pixels / 2;
    const centreX = toImage(this.lensX, stage.left - box.left, box.width, canvas.width);
    const centreY = toImage(this.lensY, stage.top - box.top, box.height, canvas.height);
    const seen = side / (fitted * LENS_ZOOM);
    const context = this.lens.getContext("2d");
    context.clearRect(0, 0, side, side);
    context.drawImage(canvas, centreX - seen / 2, centreY - seen / 2, seen, seen, 0, 0, side, side);
    this.lens.style.transform = `translate(${this.lensX - side / 2}px, ${this.lensY - side / 2}px)`;
  }
}

const frame = () => new Promise((painted) => requestAnimationFrame(() => painted(performance.now())));

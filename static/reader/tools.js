// The viewer's tools by mouse, touch and keyboard. The study decides which are offered; the others are not on the page.

const STEP = 1.25; // one press of + or -
const TAP_MS = 300;
const TAP_PX = 24;
const PAN_PX = 60;
const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

export class Tools {
  constructor(room, viewer) {
    this.stage = viewer.stage;
    this.viewer = viewer;
    this.buttons = new Map([...room.querySelectorAll("#tools button")].map((button) => [button.dataset.tool, button]));
    this.sliders = room.querySelector("#sliders");
    this.fingers = new Map();
    this.tap = { at: -TAP_MS, x: 0, y: 0 };
    for (const [tool, button] of this.buttons) button.addEventListener("click", () => this.#use(tool));
    addEventListener("keydown", (event) => this.#key(event));
    if (this.sliders) this.sliders.addEventListener("input", () => this.#slide());
    this.stage.addEventListener("viewed", () => this.#mark());
    for (const kind of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) {
      this.stage.addEventListener(kind, (event) => this.#pointer(event));
    }
    this.stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.stage.addEventListener("contextmenu", (event) => event.preventDefault()); // the right button changes brightness and contrast
  }

  #use(tool) {
    if (tool === "full") return void (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen());
    if (!this.viewer.shown) return;
    if (tool === "closer") this.viewer.zoom(STEP);
    if (tool === "farther") this.viewer.zoom(1 / STEP);
    if (tool === "fit") this.viewer.fit();
    if (tool === "invert") this.viewer.invert();
    if (tool === "lens") this.viewer.toggleLens();
    if (tool === "window") {
      this.sliders.hidden = !this.sliders.hidden;
      if (!this.sliders.hidden) this.sliders.querySelector("input").focus({ preventScroll: true });
    }
    this.#mark();
  }

  #key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const key = event.key === "=" ? "+" : event.key.toLowerCase();
    const found = [...this.buttons.values()].find((button) => button.dataset.key === key);
    // + and - repeat when held; the others toggle, and would flicker.
    if (found && (!event.repeat || "+-".includes(key))) this.#use(found.dataset.tool);
    const arrow = ARROWS[event.key];
    if (!arrow || event.target.closest("input") || !this.viewer.shown) return;
    if (this.viewer.lensOn) this.viewer.lensAt(this.viewer.lensX - (arrow[0] * PAN_PX) / 4, this.viewer.lensY - (arrow[1] * PAN_PX) / 4);
    else this.viewer.pan(arrow[0] * PAN_PX, arrow[1] * PAN_PX);
  }

  #slide() {
    const [brightness, contrast] = [...this.sliders.querySelectorAll("input")].map((input) => Number(input.value));
    this.viewer.window(brightness, contrast);
  }

  // Update the buttons and sliders.
  #mark() {
    const { viewer, sliders } = this;
    const press = (tool, on) => this.buttons.get(tool)?.setAttribute("aria-pressed", String(on));
    press("invert", viewer.inverted);
    press("lens", viewer.lensOn);
    if (!sliders) return;
    press("window", !sliders.hidden);
    const inputs = sliders.querySelectorAll("input");
    inputs[0].value = viewer.brightness;
    inputs[1].value = viewer.contrast;
  }

  #offers(tool) {
    return this.buttons.has(tool) && this.viewer.shown;
  }

  #at(event) {
    const box = this.stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  #wheel(event) {
    if (!this.#offers("closer")) return;
    event.preventDefault();
    const { x, y } = this.#at(event);
    this.viewer.zoom(2 ** (-event.deltaY / (event.deltaMode ? 8 : 240)), x, y);
  }

  #pointer(event) {
    const at = this.#at(event);
    if (this.viewer.lensOn) this.viewer.lensAt(at.x, at.y);
    const before = this.fingers.get(event.pointerId);
    if (event.type === "pointerdown" && !event.target.closest(".panel, #sliders, button")) {
      this.stage.setPointerCapture(event.pointerId);
      this.fingers.set(event.pointerId, { ...at, startX: at.x, startY: at.y, right: event.button === 2 });
    } else if (before && event.type === "pointermove") {
      this.#drag(before, at);
      Object.assign(before, at);
    } else if (before && event.type !== "pointermove") {
      this.fingers.delete(event.pointerId);
      if (event.type === "pointerup" && Math.hypot(at.x - before.startX, at.y - before.startY) < TAP_PX) {
        const detail = { x: event.clientX, y: event.clientY };
        // A handler that uses the tap for something else prevents this.
        if (before.right || this.stage.dispatchEvent(new CustomEvent("tapped", { detail, cancelable: true }))) this.#tapped(at);
      }
    }
  }

  #drag(before, at) {
    const { viewer } = this;
    const [dx, dy] = [at.x - before.x, at.y - before.y];
    const others = [...this.fingers.values()].filter((finger) => finger !== before);
    if (others.length === 1 && this.#offers("closer")) {
      const [other] = others;
      const spread = (finger) => Math.max(1, Math.hypot(finger.x - other.x, finger.y - other.y));
      viewer.zoom(spread(at) / spread(before), (at.x + other.x) / 2, (at.y + other.y) / 2);
      viewer.pan(dx / 2, dy / 2);
    } else if (this.#offers("window") && (before.right || !this.sliders.hidden)) {
      viewer.window(viewer.brightness - dy / 2, viewer.contrast + dx / 2);
    } else if (this.#offers("closer") && !viewer.lensOn) {
      viewer.pan(dx, dy);
    }
  }

  // The second of two taps zooms in, or back to the whole image.
  #tapped(at) {
    const now = performance.now();
    const twice = now - this.tap.at < TAP_MS && Math.hypot(at.x - this.tap.x, at.y - this.tap.y) < TAP_PX;
    this.tap = { at: twice ? -TAP_MS : now, ...at };
    if (!twice || !this.#offers("closer")) return;
    this.viewer.zoom(this.viewer.scale > 1 ? 1 / this.viewer.scale : 2.5, at.x, at.y);
  }
}

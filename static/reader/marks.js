// Where did the reader see it? Marks in the radiographs just judged: set by tap, click or crosshair, each with a reason.
// They can be moved and deleted until the reader is done, chooses "nothing in particular", or skips.

const TOO_EARLY_MS = 150;
const DOUBLE_MS = 400; // the second click of a double click belonged to the answer
const STEP = 0.01; // as a share of the image's sides, per press of an arrow key
const LEAP = 0.05; // with Shift
const DRAG_PX = 4;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const PANORAMIC = [1.6, 2.4]; // range of width / height in which the thirds have names

export class Marks {
  // `say` speaks to screen readers.
  constructor(room, viewer, say) {
    Object.assign(this, { viewer, say, settle: null, marks: [], selected: null });
    this.bar = room.querySelector("#marking");
    this.layer = room.querySelector("#marks");
    this.crosshair = this.layer.querySelector("#crosshair");
    this.question = this.bar.querySelector("#ask");
    this.words = this.question.dataset;
    this.places = JSON.parse(this.layer.dataset.places);
    this.regions = JSON.parse(this.layer.dataset.regions);
    addEventListener("keydown", (event) => this.#key(event), { capture: true }); // before the viewer's tools
    this.bar.addEventListener("click", (event) => this.#clicked(event));
    this.layer.addEventListener("focus", () => this.#select(null));
    viewer.stage.addEventListener("tapped", (event) => this.#tapped(event));
    viewer.stage.addEventListener("viewed", () => this.#draw());
    new ResizeObserver(() => this.#draw()).observe(viewer.stage);
  }

  // The reader's answer: the outcome, and the marks in the form that the server expects.
  ask({ places, most, rating }) {
    this.numbers = places.map((place) => place - 1);
    Object.assign(this, { most, rates: rating, openFrom: performance.now() + TOO_EARLY_MS });
    this.at = { number: this.numbers[0], x: 0.5, y: 0.5 };
    this.heard = "";
    this.crosshair.hidden = true;
    this.layer.hidden = false;
    this.viewer.cells.forEach((cell, number) => cell.toggleAttribute("data-asked", this.numbers.includes(number)));
    this.#select(null);
    this.layer.focus({ preventScroll: true });
    this.say(this.question.textContent);
    return new Promise((settle) => (this.settle = settle));
  }

  // Marks are no longer requested.
  end() {
    if (this.layer.hidden) return;
    for (const { button } of this.marks) button.remove();
    Object.assign(this, { marks: [], selected: null, settle: null });
    this.layer.hidden = true;
    for (const cell of this.viewer.cells) cell.removeAttribute("data-asked");
  }

  #done(outcome) {
    const open = this.marks.findIndex((mark) => !mark.reason);
    if (outcome === "marked" && open >= 0) {
      this.#edit(open);
      return this.#tell(this.words.unreasoned);
    }
    if ((outcome === "marked") !== this.marks.length > 0) return this.#tell(this.marks.length ? this.words.marked : this.words.ask);
    const marks = this.marks.map(({ number, x, y, reason, rating }) => ({ place: number + 1, x, y, reason, rating }));
    const { settle } = this;
    this.end();
    settle({ outcome, marks });
  }

  // Set a mark at this place in an image; a mark without a reason is moved there instead.
  #set(place) {
    if (!this.numbers.includes(place.number)) return this.#tell(this.words.other);
    const open = this.marks.findIndex((mark) => !mark.reason);
    if (open >= 0) {
      Object.assign(this.marks[open], place);
      return this.#edit(open);
    }
    if (this.marks.length === this.most) return this.#tell(this.words.full);
    const button = Object.assign(document.createElement("button"), { type: "button", className: "mark" });
    button.append(document.createElement("span"));
    const mark = { ...place, reason: null, rating: null, button };
    button.addEventListener("focus", () => this.#select(this.marks.indexOf(mark)));
    for (const kind of ["pointerdown", "pointermove", "pointerup"]) button.addEventListener(kind, (event) => this.#drag(event, mark));
    this.marks.push(mark);
    this.layer.append(button);
    this.#edit(this.marks.length - 1);
  }

  #delete() {
    const [mark] = this.marks.splice(this.selected, 1);
    mark.button.remove();
    this.#leave();
    this.#tell(filled(this.words.deleted, { number: this.selected }));
  }

  // Select this mark.
  #edit(index) {
    this.#select(index);
    this.marks[index].button.focus({ preventScroll: true });
    this.say(`${this.#named(index)}. ${this.question.textContent}`);
  }

  // Back to the crosshair.
  #leave() {
    this.heard = "";
    this.#select(null);
    this.layer.focus({ preventScroll: true });
  }

  #select(index, asks = "reason") {
    this.selected = index;
    this.asks = index === null ? "place" : asks;
    this.bar.dataset.asks = this.asks;
    this.question.textContent = filled(this.words[this.asks === "place" ? "ask" : this.asks], { number: index + 1 });
    const { reason, rating } = this.marks[index] ?? {};
    for (const button of this.bar.querySelectorAll("button")) {
      const { dataset } = button;
      if ("reason" in dataset) button.setAttribute("aria-pressed", String(dataset.reason === reason));
      if ("rating" in dataset) button.setAttribute("aria-pressed", String(Number(dataset.rating) === rating));
      const idle = { reason: index === null, delete: index === null, end: (dataset.end === "marked") !== this.marks.length > 0 };
      button.setAttribute("aria-disabled", String(Object.keys(idle).some((name) => name in dataset && idle[name])));
    }
    this.#draw();
  }

  #reason(reason) {
    if (this.selected === null) return;
    const mark = this.marks[this.selected];
    mark.reason = reason;
    if (this.rates) {
      this.#select(this.selected, "rating");
      this.say(`${this.#named(this.selected)}. ${this.question.textContent}`);
    } else this.#finished();
  }

  #rating(rating) {
    this.marks[this.selected].rating = rating;
    this.#finished();
  }

  #finished() {
    const said = this.#named(this.selected);
    this.#leave();
    this.say(said);
  }

  #key(event) {
    if (!this.settle || event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input")) return;
    if (!this.#handled(event)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  #handled(event) {
    const { key, repeat, shiftKey } = event;
    const press = (action) => (repeat || performance.now() < this.openFrom || action(), true);
    if (ARROWS[key]) return this.#move(ARROWS[key], shiftKey ? LEAP : STEP), true;
    // Also by the position of the key: some keyboards need Shift for digits.
    const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code)?.[1] ?? key;
    const group = this.asks === "rating" ? "rating" : "reason";
    const button = this.selected !== null && this.bar.querySelector(`[data-${group}][data-key="${CSS.escape(digit)}"]`);
    if (button) return press(() => this.#press(button));
    const onMark = this.selected !== null && event.target === this.marks[this.selected]?.button;
    if (key === "Enter" && (onMark || !event.target.closest("button, a"))) return press(() => this.#enter());
    if (this.selected !== null && ["Delete", "Backspace"].includes(key)) return press(() => this.#delete());
    if (this.selected !== null && key === "Escape") return press(() => this.#leave());
    if (key === "x" && this.numbers.length > 1 && this.viewer.enlarged === null) return press(() => this.#turn());
    const end = this.bar.querySelector(`[data-end][data-key="${CSS.escape(key.toLowerCase())}"]`);
    return end ? press(() => this.#press(end)) : false;
  }

  #enter() {
    if (this.selected !== null) return this.marks[this.selected].reason ? this.#leave() : this.#tell(this.words.unreasoned);
    if (!this.crosshair.hidden) return this.#set({ ...this.at });
    this.#aim();
  }

  // Show the crosshair, and announce where it is.
  #aim() {
    this.crosshair.hidden = false;
    this.viewer.bring(this.at);
    this.#draw();
    this.#hear(this.at);
  }

  // Move the crosshair to the next image that may be marked.
  #turn() {
    const next = (this.numbers.indexOf(this.at.number) + 1) % this.numbers.length;
    this.at = { number: this.numbers[next], x: 0.5, y: 0.5 };
    this.#aim();
  }

  // Move the selected mark, or the crosshair.
  #move([dx, dy], step) {
    if (this.selected === null && this.crosshair.hidden) return this.#aim();
    const place = this.marks[this.selected] ?? this.at;
    place.x = within(place.x + dx * step);
    place.y = within(place.y + dy * step);
    this.viewer.bring(place);
    this.#draw();
    this.#hear(place);
  }

  // Announce where a place is, if this differs from the last announcement.
  #hear(place) {
    const where = this.#where(place);
    if (where !== this.heard) this.say((this.heard = where));
  }

  #clicked(event) {
    const button = event.target.closest("button");
    const now = performance.now();
    if (!button || now < this.openFrom || (event.detail > 1 && now < this.openFrom + DOUBLE_MS)) return;
    this.#press(button);
  }

  #press({ dataset }) {
    if (!this.settle) return;
    if ("end" in dataset) this.#done(dataset.end);
    else if ("rating" in dataset) this.#rating(Number(dataset.rating));
    else if ("reason" in dataset) this.#reason(dataset.reason);
    else if (this.selected !== null) this.#delete();
  }

  #tapped(event) {
    if (!this.settle) return;
    event.preventDefault(); // otherwise a second tap would zoom in
    const { x, y } = event.detail;
    const place = performance.now() >= this.openFrom && this.viewer.placeAt(x, y);
    if (place) this.#set(place);
  }

  #drag(event, mark) {
    const { x, y } = event;
    if (event.type === "pointerdown") {
      mark.button.setPointerCapture(event.pointerId);
      mark.from = { x, y };
    } else if (mark.from && (mark.moves || Math.hypot(x - mark.from.x, y - mark.from.y) > DRAG_PX)) {
      mark.moves = event.type === "pointermove";
      Object.assign(mark, this.viewer.placeNear(mark.number, x, y));
      this.#draw();
    }
    if (event.type !== "pointerup") return;
    mark.from = null;
    this.#edit(this.marks.indexOf(mark));
  }

  // Put everything where it belongs on the screen now.
  #draw() {
    if (this.layer.hidden) return;
    const { enlarged, stage } = this.viewer;
    if (enlarged !== null && this.numbers.includes(enlarged)) this.at.number = enlarged;
    const box = stage.getBoundingClientRect();
    const put = (element, place) => {
      const point = this.viewer.pointOf(place);
      element.style.visibility = point ? "visible" : "hidden";
      if (point) element.style.translate = `${point.x - box.left}px ${point.y - box.top}px`;
    };
    this.marks.forEach((mark, index) => {
      put(mark.button, mark);
      mark.button.firstChild.textContent = index + 1;
      mark.button.setAttribute("aria-label", this.#named(index));
      mark.button.toggleAttribute("data-selected", index === this.selected);
      mark.button.toggleAttribute("data-open", !mark.reason);
    });
    put(this.crosshair, this.at);
  }

  // A mark in words: its number, place and reason.
  #named(index) {
    const { reason } = this.marks[index];
    const button = reason && [...this.bar.querySelectorAll("[data-reason]")].find(({ dataset }) => dataset.reason === reason);
    const said = filled(this.words.named, { number: index + 1, where: this.#where(this.marks[index]) });
    return button ? `${said}, ${button.dataset.word}` : said;
  }

  // The ninth of the image in which a place is; in a panoramic radiograph, with what can be seen there.
  #where({ number, x, y }) {
    const third = (share) => Math.min(2, Math.floor(3 * share));
    const { width, height } = this.viewer.canvases[number];
    const named = width / height >= PANORAMIC[0] && width / height <= PANORAMIC[1];
    const place = this.places[3 * third(y) + third(x)];
    const where = named ? `${place}, ${this.regions[third(x)]}` : place;
    return this.numbers.length > 1 ? filled(this.words.of, { place: number + 1, words: where }) : where;
  }

  // Show it, and announce it to screen readers.
  #tell(text) {
    this.question.textContent = text;
    this.say(text);
  }
}

const within = (share) => Math.min(1, Math.max(0, Math.round(1e4 * share) / 1e4));
const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

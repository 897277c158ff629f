// The answer buttons and their keys, and the single button of a panel with Enter.
// A held key, a double click and a press in the first moments after the image appeared are ignored.

const TOO_EARLY_MS = 150;
const DOUBLE_MS = 400; // two clicks within this time count as one

export class Answers {
  constructor(room) {
    this.buttons = [...room.querySelectorAll("#answers button, [data-pick]")];
    this.follows = false;
    this.panelButton = null;
    this.settle = null;
    for (const button of this.buttons) button.addEventListener("click", (event) => this.#pressed(event, button));
    room.addEventListener("click", (event) => this.#panelPressed(event));
    addEventListener("keydown", (event) => this.#key(event));
    this.disarm();
  }

  // Resolves with the data of the button pressed, and when; presses in the first moments from now are ignored.
  // `follows`: this is another question about the same images, with its answers possibly where the last one was clicked.
  chosen(follows = false) {
    this.openFrom = performance.now() + TOO_EARLY_MS;
    this.follows = follows;
    for (const button of this.buttons) button.setAttribute("aria-disabled", "false");
    return new Promise((settle) => (this.settle = settle));
  }

  // Resolves when the single button of `panel` is pressed.
  goOn(panel) {
    this.openFrom = performance.now() + TOO_EARLY_MS;
    this.panelButton = panel.querySelector("button");
    this.panelButton.focus({ preventScroll: true });
    return new Promise((settle) => (this.settle = settle));
  }

  disarm() {
    this.settle = null;
    this.panelButton = null;
    for (const button of this.buttons) button.setAttribute("aria-disabled", "true");
  }

  #key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const isPress = event.key === "Enter" || event.key === " ";
    if (event.repeat) {
      if (isPress && event.target.closest("button")) event.preventDefault(); // a held key does not press a button repeatedly
      return;
    }
    // Enter itself presses whatever has the focus.
    if (event.key === "Enter" && !event.target.closest("button, a, input")) this.panelButton?.click();
    // Also by the position of the key: some keyboards need Shift for digits.
    const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code)?.[1];
    const button = this.buttons.find(({ dataset, offsetParent }) => offsetParent && dataset.key && [event.key, digit].includes(dataset.key));
    if (button) this.#give(button);
  }

  #pressed(event, button) {
    // The second click of a double click was not intended.
    const isOwn = event.detail <= 1 || (this.follows && performance.now() > this.openFrom + DOUBLE_MS);
    if (isOwn) this.#give(button);
  }

  #give({ dataset }) {
    const now = performance.now();
    if (!this.settle || this.panelButton || now < this.openFrom) return;
    const settle = this.settle;
    this.disarm();
    settle({ dataset, at: now });
  }

  #panelPressed(event) {
    if (!this.panelButton || event.target.closest("button") !== this.panelButton) return;
    if (event.detail > 1 || performance.now() < this.openFrom) return;
    const settle = this.settle;
    this.disarm();
    settle();
  }
}

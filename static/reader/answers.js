// What the reader presses: the answer buttons and their keys, and the one button of a panel with Enter.
// A held key, a double click and a press in the first moments after the image came answer nothing.

const TOO_EARLY_MS = 150;
const DOUBLE_MS = 400; // two clicks within it are one

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

  // The button that will be pressed, as its data, and when; the first moments from now do not count. `follows`: this is
  // another question about the same images, whose answer may lie where the last one was clicked.
  chosen(follows = false) {
    this.openFrom = performance.now() + TOO_EARLY_MS;
    this.follows = follows;
    for (const button of this.buttons) button.setAttribute("aria-disabled", "false");
    return new Promise((settle) => (this.settle = settle));
  }

  // The press of the one button of `panel`.
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
      if (isPress && event.target.closest("button")) event.preventDefault(); // a held key presses no button again
      return;
    }
    // Whatever has the focus is pressed by Enter itself.
    if (event.key === "Enter" && !event.target.closest("button, a, input")) this.panelButton?.click();
    // By its place, too: some keyboards give the digits with Shift only.
    const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code)?.[1];
    const button = this.buttons.find(({ dataset, offsetParent }) => offsetParent && dataset.key && [event.key, digit].includes(dataset.key));
    if (button) this.#give(button);
  }

  #pressed(event, button) {
    // The second click of a double click was not meant.
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

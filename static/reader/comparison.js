// The questions about several versions of one radiograph, one at a time; the versions are side by side, or one at a time in the same place.

export class Questions {
  constructor(room, answers, viewer) {
    this.bar = room.querySelector("#answers");
    this.answers = answers;
    this.viewer = viewer;
    this.display = this.bar.dataset.display;
    this.question = this.bar.querySelector("#question");
    this.turn = room.querySelector("[data-switch]");
    this.turn.addEventListener("click", () => this.#switch());
    viewer.cells.forEach((cell, number) => {
      cell.querySelector("[data-enlarge]").addEventListener("click", () => viewer.enlarge(number));
    });
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && viewer.enlarged !== null && this.display === "side") viewer.enlarge(null);
      if (event.key.toLowerCase() === "x" && !event.repeat && !event.ctrlKey && !event.metaKey && !event.altKey) this.#switch();
    });
  }

  // The reader's answers to a trial, and when the last question was answered. Until then, each answer can be changed.
  async ask({ choices, places, reference }) {
    this.places = places;
    const judged = reference ? places - 1 : places;
    this.viewer.cells.forEach((cell, number) => cell.toggleAttribute("data-reference", number + 1 === reference));
    const questions = choices.flatMap((choice) => questionsOf(choice, judged, reference));
    const said = {};
    await this.#seen(places);
    let last = 0;
    for (let number = 0; number < questions.length; ) {
      const { criterion, kind, place } = questions[number];
      this.#show(questions[number], number > 0, judged);
      const { dataset, at } = await this.answers.chosen(number > 0);
      last = at;
      if ("back" in dataset) {
        number -= 1;
        continue;
      }
      if (kind === "choice") said[criterion] = Number(dataset.value);
      else if (kind === "pair") said[criterion] = { 1: ["better", "worse"], 0: ["same", "same"], 2: ["worse", "better"] }[dataset.value];
      else (said[criterion] ??= [])[place - 1] = kind === "scale" ? Number(dataset.value) : dataset.value;
      number += 1;
    }
    this.#show(questions[0], false, judged);
    this.#mark(null);
    return { said: { criteria: said }, at: last };
  }

  // One at a time: show the first; in a series, the questions follow once each has been shown.
  async #seen(places) {
    this.shown = new Set();
    if (this.display === "side" || this.viewer.canvases[0].width === 1) return;
    this.#only(0);
    if (this.display !== "series") return;
    this.bar.dataset.kind = "series";
    this.question.textContent = this.question.dataset.series;
    this.#buttons(() => false, false);
    if (this.shown.size < places) await new Promise((settle) => (this.all = settle));
    this.all = null;
  }

  #switch() {
    if (!this.places || this.viewer.canvases[0].width === 1) return;
    this.#only(((this.viewer.enlarged ?? -1) + 1) % this.places);
  }

  #only(number) {
    if (this.viewer.enlarged === null) this.viewer.enlarge(number);
    else {
      this.viewer.enlarged = number;
      this.viewer.reveal();
      this.viewer.pan(0, 0);
    }
    this.shown.add(number);
    if (this.shown.size === this.places) this.all?.();
  }

  #mark(place) {
    this.viewer.cells.forEach((cell, number) => cell.toggleAttribute("data-asked", number + 1 === place));
  }

  #buttons(fits, mayGoBack) {
    for (const button of this.bar.querySelectorAll("button[data-kind]")) button.hidden = !fits(button.dataset);
    this.bar.querySelector("[data-back]").hidden = !mayGoBack;
    this.turn.hidden = false;
  }

  #show({ criterion, kind, place, points }, mayGoBack, judged) {
    const hadFocus = this.bar.contains(document.activeElement) && document.activeElement !== this.turn;
    this.bar.dataset.kind = kind;
    const words = this.bar.querySelector(`[data-criterion="${criterion}"]`).dataset.words;
    this.question.textContent = place ? this.question.dataset.of.replace("{place}", place).replace("{words}", words) : words;
    const most = { scale: points, choice: judged }[kind] ?? Infinity;
    this.#buttons((of) => of.kind === kind && (!most || most === Infinity || Number(of.value) <= most), mayGoBack);
    this.#mark(place ?? null);
    // One at a time: show the radiograph that the question is about.
    if (place && this.viewer.enlarged !== null && this.display !== "side") this.#only(place - 1);
    if (hadFocus) this.bar.querySelector("button[data-kind]:not([hidden])").focus({ preventScroll: true });
  }
}

// One question for both images of a pair, or for a choice; otherwise one per image.
function questionsOf({ criterion, kind, points }, judged, reference) {
  if (kind === "choice") return [{ criterion, kind }];
  if (kind === "better" && judged === 2 && !reference) return [{ criterion, kind: "pair" }];
  return Array.from({ length: judged }, (_, number) => ({ criterion, kind, points, place: number + 1 }));
}

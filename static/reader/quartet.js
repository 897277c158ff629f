// The questions about several radiographs, one at a time: which one is real, and how realistic does each look?

export class Questions {
  constructor(room, answers, viewer) {
    this.bar = room.querySelector("#answers");
    this.answers = answers;
    this.cells = viewer.cells;
    this.question = this.bar.querySelector("#question");
    this.cells.forEach((cell, number) => {
      cell.querySelector("[data-enlarge]").addEventListener("click", () => viewer.enlarge(number));
    });
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && viewer.enlarged !== null) viewer.enlarge(null);
    });
  }

  // The reader's answers to a trial, and when the last question, and the last of the first part, was answered. Until
  // then, each answer can be changed, except in a first part with its own clock, whose end is reported by `turned`.
  async ask({ choices, places }, turned) {
    const ofPart = { choice: [{ part: "choice" }], realism: [] };
    for (let place = 1; place <= places; place++) ofPart.realism.push({ part: "realism", place });
    const questions = choices.flatMap(({ part }) => ofPart[part]);
    const said = { chosen: null, realism: Array(places).fill(null) };
    let last = 0;
    let firstAt = 0;
    this.mark("real", null);
    for (let number = 0; number < questions.length; ) {
      const { part, place } = questions[number];
      const closed = choices[0].limit_ms && questions[number - 1]?.part !== part;
      const mayGoBack = number > 0 && !closed;
      this.#show(questions[number], mayGoBack, places);
      this.mark("chosen", said.chosen);
      const { dataset, at } = await this.answers.chosen(mayGoBack);
      last = at;
      if ("back" in dataset) {
        number -= 1;
        continue;
      }
      if (part === "choice") said.chosen = Number(dataset.place);
      else said.realism[place - 1] = Number(dataset.realism);
      number += 1;
      if (questions[number] && questions[number].part !== part) {
        firstAt = at;
        turned(at);
      }
    }
    this.#show(questions[0], false, places);
    for (const what of ["chosen", "asked"]) this.mark(what, null);
    return { said, at: last, firstAt };
  }

  // Practice shows which one is real.
  told({ real }) {
    this.mark("real", real);
  }

  // Mark only the cell at this place.
  mark(what, place) {
    this.cells.forEach((cell, number) => cell.toggleAttribute(`data-${what}`, number + 1 === place));
  }

  #show({ part, place }, mayGoBack, places) {
    const hadFocus = this.bar.contains(document.activeElement);
    this.bar.dataset.part = part;
    this.question.textContent = this.question.dataset[part].replace("{place}", place);
    for (const button of this.bar.querySelectorAll("button[data-place]")) button.hidden = part !== "choice" || Number(button.dataset.place) > places;
    for (const button of this.bar.querySelectorAll("button[data-realism]")) button.hidden = part !== "realism";
    for (const cell of this.cells) cell.querySelector("[data-pick]").disabled = part !== "choice";
    this.bar.querySelector("[data-back]").hidden = !mayGoBack;
    this.mark("asked", place ?? null);
    if (hadFocus) this.bar.querySelector("button:not([hidden], [data-back])").focus({ preventScroll: true });
  }
}

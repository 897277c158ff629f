// "?" lists every key of the room. While the list is open, keys do not answer, but the clock keeps running.

export class Help {
  constructor(room) {
    this.room = room;
    this.dialog = room.querySelector("#help");
    this.list = this.dialog.querySelector("dl");
    room.querySelector("#keys").addEventListener("click", () => this.#toggle());
    addEventListener("keydown", (event) => this.#key(event), { capture: true }); // before the handler for answers
  }

  #key(event) {
    if (event.key === "?" && !event.repeat) this.#toggle();
    else if (!this.dialog.open) return;
    if (event.key !== "Escape" && event.key !== "Tab" && !(event.target.closest("#help button") && "Enter ".includes(event.key))) {
      event.preventDefault();
    }
    event.stopImmediatePropagation();
  }

  #toggle() {
    if (this.dialog.open) return this.dialog.close();
    this.list.replaceChildren(...this.#rows());
    this.dialog.showModal();
    this.dialog.scrollTop = 0; // a long list opens at its top, wherever its button is
  }

  // As the key is written on a keyboard of the reader's language.
  #name(key) {
    if (key === "Delete") return this.list.dataset.delete;
    return key.length === 1 ? key.toUpperCase() : key;
  }

  // Keys as shown on the buttons, in order.
  #rows() {
    const told = new Map([["Enter", this.list.dataset.enter]]);
    for (const button of this.room.querySelectorAll("[aria-keyshortcuts]")) {
      const key = button.getAttribute("aria-keyshortcuts");
      const shown = button.cloneNode(true);
      shown.querySelector("kbd")?.remove();
      for (const number of shown.querySelectorAll("b")) if (number.textContent === key) number.remove();
      shown.querySelector("small:not(:empty)")?.before(", ");
      const said = (button.title || shown.textContent).replace(/\s+/g, " ").replace(" ,", ",").trim();
      if (!said || button.id === "keys") continue;
      told.set(key, told.has(key) && told.get(key) !== said ? `${told.get(key)} / ${said}` : said);
    }
    return [...told].map(([key, said]) => {
      const row = document.createElement("div");
      const term = document.createElement("dt");
      term.append(Object.assign(document.createElement("kbd"), { textContent: this.#name(key) }));
      row.append(term, Object.assign(document.createElement("dd"), { textContent: said }));
      return row;
    });
  }
}

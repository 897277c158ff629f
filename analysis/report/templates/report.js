// Sort a table by a column: numbers by value, words by the reader's alphabet; a second press turns it round.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const header = button.parentElement, body = header.closest("table").tBodies[0];
    const column = header.cellIndex, down = header.getAttribute("aria-sort") === "ascending";
    for (const other of header.parentElement.cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => row.cells[column].querySelector("data[value]")?.value ?? row.cells[column].textContent.trim();
    const compare = (a, b) => {
      const [x, y] = [Number(a), Number(b)];
      if (a === "" || b === "" || a === "–" || b === "–") return (a === "" || a === "–") - (b === "" || b === "–");
      return (Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, undefined, { numeric: true }) : x - y) * (down ? -1 : 1);
    };
    body.append(...[...body.rows].sort((a, b) => compare(key(a), key(b))));
  });
}
// Enlarge a figure; Escape or the button closes it.
const dialog = document.querySelector("dialog");
for (const button of document.querySelectorAll("figure.drawn button")) {
  button.addEventListener("click", () => {
    const image = button.querySelector("img");
    dialog.querySelector("img").src = image.src;
    dialog.querySelector("img").alt = image.alt;
    dialog.querySelector("a").href = image.src;
    dialog.showModal();
  });
}
dialog.querySelector("button").addEventListener("click", () => dialog.close());
// On paper everything is open, but for the list of every case.
addEventListener("beforeprint", () => document.querySelectorAll("details:not(.closed)").forEach((part) => (part.open = true)));

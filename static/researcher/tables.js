// Tables that are sorted by a click on a heading. A cell's data-value takes precedence over its text.

export function makeSortable(table, sorted = () => {}) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    if ("unsorted" in head.dataset) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      sortAs(table, { column, down });
      sorted();
    });
  });
}

/** How the table is sorted: { column, down }, or null. */
export function sortOf(table) {
  const heads = [...table.tHead.rows[0].cells];
  const column = heads.findIndex((head) => head.hasAttribute("aria-sort"));
  return column < 0 ? null : { column, down: heads[column].getAttribute("aria-sort") === "descending" };
}

export function sortAs(table, sorted) {
  if (!sorted) return;
  const { column, down } = sorted;
  [...table.tHead.rows[0].cells].forEach((head, place) => {
    if (place === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  });
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => compare(value(a, column), value(b, column)) * (down ? -1 : 1));
  table.tBodies[0].append(...rows);
}

function value(row, column) {
  const cell = row.cells[column];
  return cell.dataset.value ?? cell.textContent.trim();
}

function compare(a, b) {
  return a !== "" && b !== "" && !isNaN(a) && !isNaN(b) ? a - b : a.localeCompare(b, undefined, { numeric: true });
}

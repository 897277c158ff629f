// Long tables: a search field, a filter for every heading with data-choose, the columns to show, and pages of fifty rows.
// The choices are stored in this browser, under the table's data-filter.

const PAGE = 50;
const FEW = 8; // tables with no more rows than this need no search field

/** Adds the controls above the table. Returns a function to call when its rows have changed. */
export function makeFilterable(table) {
  if (table.tBodies[0].rows.length < FEW) return () => {};
  const heads = [...table.tHead.rows[0].cells];
  const names = heads.map((head) => head.textContent.trim());
  const key = `table-${table.dataset.filter}`;
  const kept = { text: "", chosen: {}, hidden: [], ...remembered(key) };
  let page = 0;

  const bar = document.createElement("div");
  bar.className = "row filters unprinted";
  const search = Object.assign(document.createElement("input"), { type: "search", placeholder: "Search", value: kept.text });
  search.setAttribute("aria-label", "Search the table");
  search.addEventListener("input", () => change(() => (kept.text = search.value)));
  const count = Object.assign(document.createElement("span"), { className: "quiet small" });
  count.setAttribute("role", "status");
  const [back, forward] = ["Previous", "Next"].map((label, way) => {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "slim", textContent: label });
    button.addEventListener("click", () => turn(way ? 1 : -1));
    return button;
  });
  bar.append(search, ...heads.flatMap((head, column) => ("choose" in head.dataset ? [choice(column)] : [])), ...columns(), count, back, forward);
  table.parentElement.before(bar);
  show();
  return show;

  function change(deed) {
    deed();
    page = 0;
    remember(key, kept);
    show();
  }

  function turn(by) {
    page += by;
    show();
  }

  function choice(column) {
    const name = names[column];
    const select = document.createElement("select");
    select.setAttribute("aria-label", name);
    const values = [...new Set([...table.tBodies[0].rows].map((row) => words(row, column)))].sort();
    if (kept.chosen[name] && !values.includes(kept.chosen[name])) delete kept.chosen[name];
    select.append(new Option(`${name}: all`, ""), ...values.map((value) => new Option(value, value)));
    select.value = kept.chosen[name] ?? "";
    select.addEventListener("change", () => change(() => (kept.chosen[name] = select.value)));
    return select;
  }

  function columns() {
    if (heads.every((head) => "always" in head.dataset)) return [];
    const details = Object.assign(document.createElement("details"), { className: "columns-shown" });
    details.append(Object.assign(document.createElement("summary"), { textContent: "Columns" }));
    names.forEach((name, column) => {
      if ("always" in heads[column].dataset) return;
      const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: !kept.hidden.includes(name) });
      box.addEventListener("change", () => change(() => {
        kept.hidden = kept.hidden.filter((other) => other !== name);
        if (!box.checked) kept.hidden.push(name);
      }));
      const label = Object.assign(document.createElement("label"), { className: "choice" });
      label.append(box, ` ${name}`);
      details.append(label);
    });
    return [details];
  }

  function words(row, column) {
    return row.cells[column].textContent.trim();
  }

  function show() {
    const rows = [...table.tBodies[0].rows];
    const wanted = kept.text.trim().toLowerCase();
    const found = rows.filter((row) =>
      row.textContent.toLowerCase().includes(wanted) &&
      names.every((name, column) => !kept.chosen[name] || words(row, column) === kept.chosen[name]));
    page = Math.max(0, Math.min(page, Math.ceil(found.length / PAGE) - 1));
    const shown = new Set(found.slice(page * PAGE, (page + 1) * PAGE));
    for (const row of rows) row.hidden = !shown.has(row);
    for (const row of [...table.tHead.rows, ...rows]) {
      names.forEach((name, column) => (row.cells[column].hidden = kept.hidden.includes(name)));
    }
    const first = page * PAGE + 1;
    const all = found.length === rows.length ? `${rows.length}` : `${found.length} of ${rows.length}`;
    count.textContent = found.length > PAGE ? `${first} to ${first + shown.size - 1} of ${found.length}` : all;
    back.hidden = forward.hidden = found.length <= PAGE;
    back.disabled = page === 0;
    forward.disabled = (page + 1) * PAGE >= found.length;
  }
}

// In a browser that stores nothing, the choices are simply forgotten.
function remembered(key) {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "{}");
  } catch {
    return {};
  }
}

function remember(key, kept) {
  try {
    localStorage.setItem(key, JSON.stringify(kept));
  } catch {
    // forbidden, or full
  }
}

// For every page of the desk: tables that sort and filter, local times, confirmation of actions that cannot be undone, printing.

import { makeFilterable } from "./filters.js";
import { makeSortable } from "./tables.js";
import { showLocal } from "./times.js";

showLocal(document);

for (const table of document.querySelectorAll("table.sortable")) {
  const show = table.dataset.filter ? makeFilterable(table) : undefined;
  makeSortable(table, show);
}

for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", (event) => {
    const ask = event.submitter?.dataset.ask ?? form.dataset.ask;
    if (ask && !confirm(ask)) event.preventDefault();
  });
}

// Copying needs a secure page; otherwise the text can be selected by hand.
for (const button of navigator.clipboard ? document.querySelectorAll("[data-copy]") : []) {
  button.hidden = false;
  const label = button.textContent;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = label), 2000);
  });
}

// The number of selected readers, including those on other pages of the table.
for (const form of document.querySelectorAll("form:has([data-selected])")) {
  const tell = () => (form.querySelector("[data-selected]").textContent = form.querySelectorAll("[name=reader]:checked").length);
  form.addEventListener("change", tell);
  tell(); // boxes may stay ticked after a reload
}

// One box selects every row that is shown.
for (const box of document.querySelectorAll("[data-select-all]")) {
  box.hidden = false;
  box.addEventListener("change", () => {
    for (const row of box.closest("table").tBodies[0].rows) {
      if (!row.hidden) row.querySelector("[name=reader]").checked = box.checked;
    }
  });
}

for (const button of document.querySelectorAll("[data-print]")) button.addEventListener("click", () => print());

// On a narrow screen, the current tab may be outside the visible area.
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

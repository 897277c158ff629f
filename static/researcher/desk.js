// What every page of the desk may use: tables that sort, a question before what cannot be undone, printing.

import { makeSortable } from "./tables.js";

for (const table of document.querySelectorAll("table.sortable")) makeSortable(table);

for (const form of document.querySelectorAll("form[data-ask]")) {
  form.addEventListener("submit", (event) => {
    if (!confirm(form.dataset.ask)) event.preventDefault();
  });
}

for (const button of document.querySelectorAll("[data-print]")) button.addEventListener("click", () => print());

// On a narrow screen the tab one is at may lie beyond the edge.
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// Keeps the moving part of the live page up to date, sorted as it was.

import { sortAs, sortOf } from "./tables.js";
import { showLocal } from "./times.js";

const place = document.getElementById("live");

setInterval(async () => {
  if (document.hidden) return;
  let text;
  try {
    const response = await fetch(place.dataset.address);
    if (!response.ok || response.redirected) return location.reload(); // logged out
    text = await response.text();
  } catch {
    place.querySelector("[data-when]").textContent = "No connection. Trying again.";
    return;
  }
  update(text);
}, 2000);

function update(text) {
  const coming = new DOMParser().parseFromString(text, "text/html");
  showLocal(coming);
  const table = place.querySelector("table");
  const sorted = sortOf(table);
  table.tBodies[0].replaceWith(coming.querySelector("tbody"));
  sortAs(table, sorted);
  const [status, said] = [place, coming].map((root) => root.querySelector("[role=status]"));
  // Screen readers speak the status when it changes, and only then.
  if (status.textContent !== said.textContent) status.textContent = said.textContent;
  const [shown, when] = [place, coming].map((root) => root.querySelector("[data-when]"));
  shown.title = when.textContent;
  shown.textContent = `Updated ${new Date(when.dataset.when).toLocaleTimeString("sv-SE")}`;
}

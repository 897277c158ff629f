// Keeps the moving part of the live page up to date, sorted as it was.

import { sortAs, sortOf } from "./tables.js";

const place = document.getElementById("live");

setInterval(async () => {
  if (document.hidden) return;
  let text;
  try {
    const response = await fetch(place.dataset.address);
    if (!response.ok || response.redirected) return location.reload(); // logged out
    text = await response.text();
  } catch {
    place.querySelector("[data-when]").textContent = "no connection; trying again";
    return;
  }
  update(text);
}, 2000);

function update(text) {
  const coming = new DOMParser().parseFromString(text, "text/html");
  const table = place.querySelector("table");
  const sorted = sortOf(table);
  table.tBodies[0].replaceWith(coming.querySelector("tbody"));
  sortAs(table, sorted);
  for (const part of ["[role=status]", "[data-when]"]) {
    const now = coming.querySelector(part).textContent;
    // Screen readers speak the status when it changes, and only then.
    if (place.querySelector(part).textContent !== now) place.querySelector(part).textContent = now;
  }
}

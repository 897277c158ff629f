// Keeps the live page up to date, and its table sorted as before.

import { sortAs, sortOf } from "./tables.js";
import { showLocal } from "./times.js";

const place = document.getElementById("live");
tellWhen(place);

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
  // Screen readers announce the status only when it changes.
  if (status.textContent !== said.textContent) status.textContent = said.textContent;
  tellWhen(coming);
}

// When the page was updated, in the viewer's time zone, with UTC on hover.
function tellWhen(root) {
  const [shown, when] = [place, root].map((within) => within.querySelector("[data-when]"));
  shown.title = when.textContent.trim();
  shown.textContent = `Updated ${new Date(when.dataset.when).toLocaleTimeString("sv-SE")}`;
}

// The first time in this browser: explains the parts of the room, one at a time, before any clock runs.

const KEY = "discern-tour";

/** Resolves when the tour is over or skipped; at once if the reader has already seen it. */
export async function tour(room, panel, answers) {
  if (seen()) return;
  const over = new AbortController();
  const skipped = new Promise((resolve) => {
    const skip = (event) => (event.type === "click" || event.key === "Escape") && resolve(true);
    addEventListener("keydown", skip, { signal: over.signal });
    panel.querySelector("[data-skip]").addEventListener("click", skip, { signal: over.signal });
  });
  const steps = [...panel.querySelectorAll("[data-part]")];
  for (const step of steps) {
    for (const other of steps) other.hidden = other !== step;
    const part = room.querySelector(step.dataset.part);
    part.classList.add("shown");
    const isOver = await Promise.race([answers.goOn(panel), skipped]);
    part.classList.remove("shown");
    if (isOver) break;
  }
  over.abort();
  localStorage.setItem(KEY, "seen");
}

// If the browser forbids storage, it is not known whether the tour was seen.
function seen() {
  try {
    return localStorage.getItem(KEY) !== null;
  } catch {
    return true;
  }
}

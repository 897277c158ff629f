// Watches work in the background, and shows the page anew when it has ended.

for (const place of document.querySelectorAll("[data-watch]")) watch(place);

async function watch(place) {
  const bar = place.querySelector("progress");
  const words = place.querySelector("[role=status]");
  for (;;) {
    await new Promise((wake) => setTimeout(wake, 1000));
    let told;
    try {
      told = await (await fetch(place.dataset.watch)).json();
    } catch {
      continue; // the line is down; the work goes on
    }
    if (told.state !== "making") return location.reload();
    if (told.share) bar.value = told.share; // without a share it moves to and fro
    if (words.textContent !== told.what) words.textContent = told.what;
  }
}

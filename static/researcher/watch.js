// Watches background work: shows its progress, also in the tab's title, and reloads the page when it has ended.
// On request, by a click, the browser shows a notification at the end.

const ENDED = "discern-ended"; // stores how the work ended while the page reloads
const WISHED = "discern-notify";
const WORDS = { done: "Done", asking: "Your answer is needed", failed: "Failed", cancelled: "Cancelled", stopped: "Stopped" };
const title = document.title;
const places = document.querySelectorAll("[data-watch]");

for (const place of places) watch(place);
for (const button of document.querySelectorAll("[data-notify]")) offer(button);
if (!places.length) tellOnceMore();

async function watch(place) {
  const bar = place.querySelector("progress");
  const words = place.querySelector("[role=status]");
  for (;;) {
    await new Promise((wake) => setTimeout(wake, 1000));
    let told;
    try {
      told = await (await fetch(place.dataset.watch)).json();
    } catch {
      continue; // no connection; the work continues
    }
    if (told.state !== "making") return end(place, WORDS[told.state] ?? "Ended");
    if (told.share) bar.value = told.share; // without a share, the bar moves back and forth
    if (told.share) document.title = `${Math.floor(100 * told.share)} % · ${title}`;
    if (words.textContent !== told.what) words.textContent = told.what;
  }
}

function end(place, word) {
  const kept = recall(WISHED) === place.dataset.watch;
  if (kept && Notification.permission === "granted") new Notification(word, { body: title });
  keep(WISHED, "");
  keep(ENDED, word);
  location.reload();
}

// After a reload, the title says how the work ended until the tab is visible.
function tellOnceMore() {
  const word = recall(ENDED);
  if (!word) return;
  keep(ENDED, "");
  document.title = `${word} · ${title}`;
  const seen = () => !document.hidden && setTimeout(() => (document.title = title), 5000);
  document.addEventListener("visibilitychange", seen, { once: true });
  seen();
}

// Notifications need a secure page and a browser that supports them.
function offer(button) {
  if (!("Notification" in window) || !isSecureContext || Notification.permission === "denied") return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const granted = (await Notification.requestPermission()) === "granted";
    if (granted) keep(WISHED, button.closest(".at-work").querySelector("[data-watch]").dataset.watch);
    button.disabled = true;
    button.textContent = granted ? "You will be notified while this tab is open" : "Your browser does not allow notifications";
  });
}

// In a browser that stores nothing, the title simply does not say how the work ended.
function recall(name) {
  try {
    return sessionStorage.getItem(name);
  } catch {
    return null;
  }
}

function keep(name, value) {
  try {
    sessionStorage.setItem(name, value);
  } catch {
    // forbidden, or full
  }
}

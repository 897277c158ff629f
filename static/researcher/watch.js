// Watches work in the background: how far it is in the title of the tab too, and the page anew when it has ended.
// Whoever asks for it, by a click, gets a notification of the browser at the end.

const ENDED = "discern-ended"; // what the page says of work that ended before it was loaded anew
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
      continue; // the line is down; the work goes on
    }
    if (told.state !== "making") return end(place, WORDS[told.state] ?? "Ended");
    if (told.share) bar.value = told.share; // without a share it moves to and fro
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

// After the page was loaded anew its title says what became of the work, until somebody looks at it.
function tellOnceMore() {
  const word = recall(ENDED);
  if (!word) return;
  keep(ENDED, "");
  document.title = `${word} · ${title}`;
  const seen = () => !document.hidden && setTimeout(() => (document.title = title), 5000);
  document.addEventListener("visibilitychange", seen, { once: true });
  seen();
}

// Notifications need a secure page and a browser that has them.
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

// A browser that keeps nothing tells less, and no more.
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

// Keeps the screen on while the room is open, if the browser supports it.

async function hold() {
  if (document.visibilityState !== "visible") return;
  await navigator.wakeLock?.request("screen").catch(() => {}); // refused if the battery is low
}

export function keepAwake() {
  document.addEventListener("visibilitychange", hold); // a hidden page loses the lock
  hold();
}

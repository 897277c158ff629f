// The screen stays on while the room is open, where the browser can do that.

async function hold() {
  if (document.visibilityState !== "visible") return;
  await navigator.wakeLock?.request("screen").catch(() => {}); // a low battery may refuse it
}

export function keepAwake() {
  document.addEventListener("visibilitychange", hold); // a hidden page loses it
  hold();
}

// Times in the viewer's time zone, with UTC on hover.

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const day = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "short" }); // 2026-11-30 14:05

export function showLocal(root) {
  if (zone === "UTC") return;
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.title = time.textContent;
    time.textContent = day.format(new Date(time.dateTime));
  }
}

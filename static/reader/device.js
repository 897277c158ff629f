// Checks what this device can show, the delay to the server, and how evenly the screen is drawn; stored with the sitting.

const SMALL = 600; // CSS pixels; phones are narrower
const SLOW_MS = 400;
const SLOWEST_FRAME_MS = 25;
const TRIES = 5;

const find = (id) => document.getElementById(id);
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
const rounded = (value) => Math.round(10 * value) / 10;

const measured = {
  width: screen.width,
  height: screen.height,
  ratio: devicePixelRatio,
  depth: screen.colorDepth,
  touch: matchMedia("(pointer: coarse)").matches ? 1 : 0,
};
keep();
const small = Math.min(screen.width, screen.height) < SMALL;
say("screen", small ? "small" : "good", measured);
find("check").hidden = false;
measured.frame_ms = rounded(await frames());
say("timing", measured.frame_ms > SLOWEST_FRAME_MS ? "slow" : "good", { rate: Math.round(1000 / measured.frame_ms) });
keep();
const trips = await roundTrips();
if (trips.length) {
  measured.trip_ms = Math.round(median(trips));
  say("network", measured.trip_ms > SLOW_MS ? "slow" : "good", { ms: measured.trip_ms });
  keep();
} else {
  say("network", "none");
}

// The form includes what is known so far, so that nobody has to wait for the rest.
function keep() {
  find("device").value = JSON.stringify(measured);
}

// Median time between two frames, in ms.
async function frames() {
  const times = [];
  for (let count = 0; count < 31; count++) times.push(await new Promise(requestAnimationFrame));
  return median(times.slice(1).map((time, index) => time - times[index]));
}

async function roundTrips() {
  const trips = [];
  for (let count = 0; count < TRIES; count++) {
    const start = performance.now();
    const there = await fetch("/healthz", { cache: "no-store" }).catch(() => null);
    if (there) trips.push(performance.now() - start);
  }
  return trips.slice(1); // the first one may include opening the connection
}

function say(id, how, values = {}) {
  find(id).textContent = find(id).dataset[how].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

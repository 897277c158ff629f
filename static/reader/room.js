// The reading room: one step at a time, as sent by the server, until the step is "done".

import { Answers } from "./answers.js";
import { keepAwake } from "./awake.js";
import { Countdown } from "./countdown.js";
import { Exposure } from "./exposure.js";
import { Help } from "./help.js";
import { Images } from "./images.js";
import { Line, Refusal, sleep } from "./line.js";
import { Tools } from "./tools.js";
import { tour } from "./tour.js";
import { Vault, uuid } from "./vault.js";
import { Viewer } from "./viewer.js";

const STALE_MS = 2000; // a trial released this long ago, and not seen yet, is requested again
const AGAIN_MS = 500;
const DEAD_MS = 2000; // after this time, the reader continues offline if possible

const room = document.getElementById("room");
const find = (id) => document.getElementById(id);
const kept = find("kept");
const pause = find("pause");

new Help(room);
const vault = new Vault(room.dataset.base);
const line = new Line(room.dataset.base, tellWaiting);
const images = new Images(line);
const answers = new Answers(room);
const viewer = new Viewer(find("stage"));
new Tools(room, viewer);
const countdown = new Countdown(find("time"));
const exposure = new Exposure(room, viewer);
// The questions of the design: `ask` resolves with the answer to a trial (`said`), and when (`at`); `told` shows the truth.
const { Questions } = await import(`./${find("answers").dataset.ask}.js`);
const questions = new Questions(room, answers, viewer);
// The marking step, in studies that have one.
const marking = find("marking") && new (await import("./marks.js")).Marks(room, viewer, say);
const others = new BroadcastChannel(room.dataset.base); // other windows of this reader in this browser

const steps = { marks: mark, begin: rest, break: rest, pause: rest, trial: read, done: leave };
let lease = "";
let maskedAt = 0;
let endsAt = 0; // when the time of the current trial is up
let current = null; // the current trial
let painted = ""; // the trial whose images the viewer has
let complained = ""; // the trial whose image could not be loaded
let overtaken; // rejects when another window takes over
let overtake;
let bringing = null;

// This page takes over, and sends answers that an earlier page could not send.
async function claim() {
  mask("loading");
  overtaken = new Promise((_, reject) => (overtake = reject));
  overtaken.catch(() => {});
  others.onmessage = () => overtake(new Refusal({ error: "elsewhere" }));
  const told = await line.post("claim", { way: images.way });
  lease = told.lease;
  others.postMessage("claimed");
  return (await bring()) ?? stamped(told);
}

async function next() {
  return stamped(await line.post("next", { lease }));
}

async function goOn() {
  return stamped(await line.post("continue", { lease }));
}

// The step in `told`, with the times of the request and of the response.
function stamped({ step, sentAt }) {
  return { ...step, sentAt, cameAt: Date.now() };
}

// The hints for the images, word for word; nothing is shown if there are none.
function hint(told) {
  const shown = document.getElementById("hints");
  if (!shown) return;
  const words = told.length > 1 ? shown.dataset.several : shown.dataset.one;
  const lines = told.map(({ place, hint: said, text }) =>
    [words.replace("{place}", place).replace("{hint}", () => said), text].filter(Boolean).join(" – "));
  shown.textContent = lines.join("\n");
  shown.hidden = !lines.length;
}

// One question: mask, image, answer.
async function read(step) {
  const { trial } = step;
  const resumed = trial.remaining_ms !== trial.limit_ms;
  current = trial;
  painted = "";
  hint([]);
  show("mask");
  let onset = null;
  let measured = {}; // measurements of an exposure
  let reported = overtaken;
  if (trial.images.length) {
    const { bitmaps, failed } = await images.take(trial.images);
    if (failed) {
      await complain(trial, failed);
      await sleep(AGAIN_MS);
      return next(); // which keeps asking until the connection is back
    }
    await sleep(resumed ? 0 : trial.interval_ms - (performance.now() - maskedAt));
    await seen();
    // Time has passed in which nothing could be seen: a slow connection, a closed lid.
    if (!resumed && !step.unannounced && Date.now() - step.cameAt > trial.interval_ms + STALE_MS && !step.again) {
      return { ...(await next()), again: true };
    }
    if (trial.exposure_ms) {
      announce(step); // beforehand, because nothing should move while the image is shown
      const began = (at) => {
        onset = at;
        show("image");
        reported = report(trial);
      };
      measured = await Promise.race([exposure.show(bitmaps, trial, began), overtaken]);
    } else {
      onset = await viewer.show(bitmaps);
    }
    painted = trial.trial;
    show(trial.exposure_ms ? "masked" : "image");
    endsAt = resumed ? step.sentAt + trial.remaining_ms : onset + trial.limit_ms;
    time(trial, 0, resumed ? performance.now() : onset);
    if (!step.unannounced) images.prefetch(step.ahead);
  } else {
    timeIsUp();
  }
  hint(trial.hints ?? []);
  announce(step);
  if (!trial.exposure_ms && onset !== null && !step.unannounced) reported = report(trial);
  const given = await Promise.race([questions.ask(trial, (at) => onset !== null && turn(trial, at)), overtaken, reported]);
  current = null;
  hint([]);
  const wanted = pause.getAttribute("aria-pressed") === "true";
  vault.keep(trial.trial, {
    id: uuid(),
    ...given.said,
    client_ms: onset === null ? null : Math.round(given.at - onset),
    viewer: { ...viewer.record, ...measured, ...(given.firstAt && onset !== null ? { first_ms: Math.round(given.firstAt - onset) } : {}) },
    pause: wanted,
  });
  pause.setAttribute("aria-pressed", "false");
  if (mayBeMarked(given.said)) {
    answers.disarm(); // the image stays while the answer is saved
    countdown.stop();
  } else {
    if (!trial.training) forget();
    mask("mask");
  }
  const following = await onward(step);
  if (following.kind !== "marks" && room.dataset.phase !== "mask") {
    if (!trial.training) forget();
    mask("mask");
  }
  if (following.kind === "marks" && wanted) pause.setAttribute("aria-pressed", "true"); // after the marks
  return following;
}

// Whether marks may be requested after this answer.
function mayBeMarked({ answer }) {
  return marking && (room.dataset.marksFor === "all" || answer === undefined || answer === "synthetic");
}

// Where in the image was it seen? The image stays as it is; after a reload, it is fetched again.
async function mark(step) {
  const { trial } = step;
  if (painted !== trial.trial) {
    show("mask");
    const { bitmaps, failed } = await images.take(trial.images);
    if (failed) {
      await complain(trial, failed);
      await sleep(AGAIN_MS);
      return next();
    }
    viewer.draw(bitmaps);
    painted = trial.trial;
  }
  images.prefetch(step.ahead);
  announce(step);
  viewer.reveal();
  exposure.uncover();
  show("marks");
  const given = await Promise.race([marking.ask(step.marks), overtaken]);
  vault.keep(trial.trial, { id: uuid(), ...given, pause: pause.getAttribute("aria-pressed") === "true" }, "marks");
  pause.setAttribute("aria-pressed", "false");
  if (!trial.training) forget();
  mask("mask");
  return bring();
}

// The next step. If the study sends keys ahead, the reader can continue without a connection: the next trial is already
// here, and the server is told later.
async function onward({ keyed = [], total }) {
  const home = bring();
  const [trial, ...rest] = keyed;
  if (!trial || !(await images.ready(trial.images))) return home;
  const told = await Promise.race([home, sleep(DEAD_MS)]);
  if (told) return told;
  home.catch(overtake);
  return { kind: "trial", trial, keyed: rest, total, ahead: [], unannounced: true };
}

// The clock of the trial or, if both of its parts have their own, that of one part, starting at this time.
function time(trial, part, from) {
  const own = trial.choices[part]?.limit_ms;
  if (!own && (part > 0 || !trial.limit_ms)) return;
  const overrun = () => {
    tell("overrun");
    time(trial, 1, performance.now());
  };
  countdown.start(own ? Math.min(endsAt, from + own) : endsAt, own ?? trial.limit_ms, own && part === 0 ? overrun : timeIsUp);
}

// The first part was answered at this time.
function turn(trial, at) {
  if (kept.dataset.state === "overrun") tell("");
  time(trial, 1, at);
}

// The image of this trial could not be loaded: report this to the researcher, once.
async function complain({ trial }, reason) {
  if (trial === complained) return;
  complained = trial;
  await line.post(`trials/${trial}/failed`, { lease, reason });
}

// The image is painted; the server says how much time is left. Settles only if the server refuses.
async function report(trial) {
  const told = await line.post(`trials/${trial.trial}/onset`, { lease }, () => current === trial);
  if (told && current === trial && told.remaining_ms !== null) {
    endsAt = Math.min(endsAt, told.sentAt + told.remaining_ms);
    countdown.shorten(endsAt);
  }
  return new Promise(() => {});
}

// Send the answers stored here, one by one; returns the step after the last one, or null if there were none.
function bring() {
  bringing ??= bringAll().finally(() => (bringing = null));
  return bringing;
}

async function bringAll() {
  let step = null;
  for (let answer = vault.first; answer; answer = vault.first) {
    const told = await line.post(`trials/${answer.trial}/${answer.kind ?? "answer"}`, { ...answer.said, lease }).catch((refusal) => {
      // The newer window will send it, or this one when the study is opened again.
      if (!["elsewhere", "study-closed"].includes(refusal.code)) vault.drop(answer.said.id);
      throw refusal;
    });
    vault.drop(answer.said.id);
    tell("saved");
    if (told.feedback) await feedback(told.feedback);
    step = told.step ? stamped(told) : await next();
    // Feedback is read during a pause; unless the reader asked for another one, continue after it.
    if (told.feedback && step.kind === "pause" && !answer.said.pause) step = await goOn();
  }
  return step;
}

async function feedback(told) {
  const { truth, correct } = told;
  const panel = show("feedback");
  for (const line of panel.querySelectorAll("[data-truth]")) line.hidden = line.dataset.truth !== truth;
  for (const line of panel.querySelectorAll("[data-correct]")) line.hidden = line.dataset.correct !== String(correct);
  for (const text of panel.querySelectorAll("[data-text]")) text.textContent = filled(text.dataset.text, told);
  viewer.reveal();
  exposure.uncover();
  questions.told?.(told);
  await Promise.race([answers.goOn(panel), overtaken]);
  forget();
  mask("mask");
}

// Begin, break, pause: no clock runs until the reader continues.
async function rest(step) {
  images.prefetch(step.ahead);
  const panel = show(step.kind);
  const values = { answered: step.answered, total: step.total, advised: step.advised_s };
  for (const text of panel.querySelectorAll("[data-text]")) text.textContent = filled(text.dataset.text, values);
  await Promise.race([answers.goOn(panel), overtaken]);
  mask("mask");
  return goOn();
}

// The viewer no longer has an image: if one is needed, it is fetched again.
function forget() {
  viewer.forget();
  painted = "";
}

function leave() {
  location.replace(`${room.dataset.base}end`);
}

async function refused(refusal) {
  current = null;
  marking?.end();
  forget();
  countdown.stop();
  if (refusal.code !== "elsewhere") find("reason").textContent = refusal.message;
  await answers.goOn(show(refusal.code === "elsewhere" ? "elsewhere" : "refused"));
}

function timeIsUp() {
  if (current.exposure_ms) {
    show("masked");
    return tell("gone");
  }
  if (current.at_timeout === "keep") return tell("late");
  viewer.hide();
  say(show("late").textContent);
}

// Nothing to see and nothing to press.
function mask(phase) {
  maskedAt = performance.now();
  answers.disarm();
  countdown.stop();
  viewer.hide();
  show(phase);
}

// Show only the panel of this phase.
function show(phase) {
  room.dataset.phase = phase;
  const panels = [...room.querySelectorAll(".panel")];
  for (const panel of panels) panel.hidden = panel.dataset.panel !== phase;
  return panels.find((panel) => !panel.hidden);
}

function announce({ trial, total }) {
  const words = find("place").dataset;
  find("place").textContent = trial.training ? words.practice : filled(words.scored, { position: trial.position, total });
  if (["image", "masked"].includes(room.dataset.phase)) say(find("place").textContent);
}

// For screen readers.
function say(text) {
  find("said").textContent = text;
}

function tell(state) {
  kept.dataset.state = state;
  kept.textContent = kept.dataset[state] ?? "";
}

function tellWaiting(waiting) {
  if (waiting) tell(vault.first ? "waiting" : "lost");
  else if (["waiting", "lost"].includes(kept.dataset.state)) tell("");
}

function togglePause() {
  pause.setAttribute("aria-pressed", String(pause.getAttribute("aria-pressed") !== "true"));
}

// Resolves when the page is visible.
function seen() {
  if (document.visibilityState === "visible") return null;
  return new Promise((back) => document.addEventListener("visibilitychange", back, { once: true }));
}

function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

pause.addEventListener("click", togglePause);
addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() === "p" && !event.repeat && !event.ctrlKey && !event.metaKey && !event.altKey) togglePause();
});

keepAwake();
await tour(room, show("tour"), answers);
for (;;) {
  try {
    let step = await claim();
    while (step) step = await steps[step.kind](step);
    break;
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    await refused(refusal);
  }
}

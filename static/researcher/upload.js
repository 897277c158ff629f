// Uploading images: files, folders or a zip, dropped or chosen, packed into one zip here and sent with a progress bar.

import { Sending } from "./sending.js";
import { zipped } from "./zip.js";

const form = document.querySelector("form[data-upload]");
const zone = form.querySelector("[data-drop]");
const [files, folder] = zone.querySelectorAll("input[type=file]");
const list = zone.querySelector("[data-chosen]");
const sending = new Sending(form);
const chosen = new Map(); // path -> File

for (const part of zone.querySelectorAll("[data-script]")) part.hidden = false;
files.required = false;

for (const input of [files, folder]) {
  input.addEventListener("change", () => take(input));
  take(input); // files chosen before this script was loaded
}

for (const name of ["dragenter", "dragover"]) {
  zone.addEventListener(name, (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
}
zone.addEventListener("dragleave", () => zone.classList.remove("over"));
zone.addEventListener("drop", async (event) => {
  event.preventDefault();
  zone.classList.remove("over");
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const loose = entries.length ? [] : [...event.dataTransfer.files];
  try {
    for (const entry of entries) await walk(entry, "");
    for (const file of loose) add(file.name, file);
  } catch {
    sending.complain("A dropped folder could not be read. Please choose it instead.");
  }
  show();
});

async function walk(entry, above) {
  const path = above + entry.name;
  if (entry.isFile) return add(path, await new Promise((resolve, reject) => entry.file(resolve, reject)));
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // a hundred at a time
    if (!some.length) return undefined;
    for (const inner of some) await walk(inner, `${path}/`);
  }
}

function take(input) {
  for (const file of input.files) add(file.webkitRelativePath || file.name, file);
  input.value = ""; // so that the same files can be chosen again
  show();
}

// Hidden system files in folders are not uploaded.
function add(path, file) {
  if (!path.split("/").some((part) => part.startsWith("."))) chosen.set(path, file);
}

function show() {
  sending.fault.hidden = true;
  const groups = new Map();
  for (const path of chosen.keys()) {
    const parts = path.split("/");
    const name = parts.length > 1 ? parts.slice(0, Math.min(2, parts.length - 1)).join("/") : path;
    groups.set(name, (groups.get(name) ?? 0) + 1);
  }
  const sorted = [...groups].sort(([one], [other]) => one.localeCompare(other));
  list.replaceChildren(...sorted.map(([name, count]) => line(name, count)));
}

function line(name, count) {
  const item = document.createElement("li");
  const remove = document.createElement("button");
  remove.type = "button";
  remove.className = "slim";
  remove.textContent = "Remove";
  remove.setAttribute("aria-label", `Remove ${name}`);
  remove.addEventListener("click", () => {
    for (const path of [...chosen.keys()]) if (path === name || path.startsWith(`${name}/`)) chosen.delete(path);
    show();
  });
  item.append(`${name}${chosen.has(name) ? "" : `: ${count} file${count > 1 ? "s" : ""}`} `, remove);
  return item;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  sending.fault.hidden = true;
  try {
    if (!chosen.size) throw new Error("Choose files, a folder or a zip first.");
    sending.begin();
    const body = new FormData(form);
    const [[name, first]] = chosen;
    const whole = chosen.size === 1 && name.toLowerCase().endsWith(".zip");
    body.set("file", whole ? first : await zipped([...chosen], sending.tell("reading")), "upload.zip");
    if (!sending.cancelled) await sending.send(body);
  } catch (error) {
    sending.complain(error.message);
  }
});

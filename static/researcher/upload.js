// Bringing images: a zip, or folders chosen here and packed into one, sent with a bar that says how far it is.

import { zipped } from "./zip.js";

const form = document.querySelector("form[data-upload]");
const zip = form.querySelector("[name=file]");
const folders = [...form.querySelectorAll("[data-into]")];
const button = form.querySelector("button");
const progress = form.querySelector(".progress");
const bar = progress.querySelector("progress");
const words = progress.querySelector("[role=status]");
const fault = form.querySelector("[data-fault]");

for (const input of folders) input.closest(".field").hidden = false;
zip.required = false;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  fault.hidden = true;
  const entries = folders.flatMap((input) => [...input.files].flatMap((file) => named(file, input.dataset.into)));
  try {
    if (Boolean(zip.files.length) === Boolean(entries.length)) throw new Error("Choose either a zip or folders.");
    button.disabled = true;
    progress.hidden = false;
    const body = new FormData(form);
    if (entries.length) body.set("file", await zipped(entries, tell("reading")), "folders.zip");
    await send(body);
  } catch (error) {
    complain(error.message);
  }
});

// The path of a file in the zip; none for what a system hides in folders. The name of the folder itself says nothing.
function named(file, into) {
  const path = (file.webkitRelativePath || file.name).split("/");
  if (path.some((part) => part.startsWith("."))) return [];
  return [[into ? [into, ...path.slice(path.length > 1 ? 1 : 0)].join("/") : path.join("/"), file]];
}

function send(body) {
  const request = new XMLHttpRequest(); // fetch tells nothing of what has been sent
  const sending = tell("sending");
  return new Promise((resolve, reject) => {
    request.open("POST", form.action);
    request.responseType = "document";
    request.upload.addEventListener("progress", ({ loaded, total }) => sending(loaded / total));
    request.addEventListener("error", () => reject(new Error("The connection broke off; nothing was brought. Please try again.")));
    request.addEventListener("load", () => {
      if (request.status === 200) return resolve(location.assign(request.responseURL));
      const told = [...(request.response?.querySelectorAll("[role=alert] li") ?? [])].map((line) => line.textContent);
      reject(new Error(told.join("; ") || `The server did not take it (${request.status}).`));
    });
    request.send(body);
  });
}

function tell(what) {
  return (share) => {
    bar.value = share;
    const said = `${what}: ${10 * Math.floor(10 * share)} %`; // a screen reader speaks every change
    if (words.textContent !== said) words.textContent = said;
  };
}

function complain(message) {
  progress.hidden = true;
  button.disabled = false;
  fault.textContent = message;
  fault.hidden = false;
}

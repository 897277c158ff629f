// A form that uploads files: progress bar, cancelling, and errors.

export class Sending {
  #title = document.title;

  constructor(form) {
    this.form = form;
    this.button = form.querySelector(":scope > button");
    this.progress = form.querySelector(".progress");
    this.bar = this.progress.querySelector("progress");
    this.words = this.progress.querySelector("[role=status]");
    this.stop = this.progress.querySelector("[data-cancel]");
    this.fault = form.querySelector("[data-fault]");
    this.cancelled = false;
    this.stop.addEventListener("click", () => {
      this.cancelled = true;
      this.complain("Cancelled. Nothing was uploaded.");
    });
  }

  begin() {
    this.fault.hidden = true;
    this.button.disabled = true;
    this.progress.hidden = false;
    this.cancelled = false;
  }

  send(body) {
    const request = new XMLHttpRequest(); // fetch does not report upload progress
    const sending = this.tell("sending");
    return new Promise((resolve, reject) => {
      request.open("POST", this.form.action);
      request.responseType = "document";
      request.upload.addEventListener("progress", ({ loaded, total }) => sending(loaded / total));
      this.stop.addEventListener("click", () => request.abort(), { once: true });
      request.addEventListener("error", () => reject(new Error("The connection was lost and nothing was uploaded. Please try again.")));
      request.addEventListener("load", () => {
        if (request.status === 200) return resolve(location.assign(request.responseURL));
        const told = [...(request.response?.querySelectorAll("[role=alert] li") ?? [])].map((line) => line.textContent);
        reject(new Error(told.join("; ") || `The server refused the upload (status ${request.status}). Please try again.`));
      });
      request.send(body);
    });
  }

  tell(what) {
    return (share) => {
      this.bar.value = share;
      const said = `${what}: ${10 * Math.floor(10 * share)} %`; // a screen reader announces every change
      if (this.words.textContent !== said) this.words.textContent = said;
      document.title = `${Math.floor(100 * share)} % · ${this.#title}`;
    };
  }

  complain(message) {
    document.title = this.#title;
    this.progress.hidden = true;
    this.button.disabled = false;
    this.fault.textContent = message;
    this.fault.hidden = false;
  }
}

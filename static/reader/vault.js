// Answers that the server has not acknowledged yet: stored in the browser, in order, across reloads and closed lids.

export class Vault {
  constructor(name) {
    this.name = `discern ${name}`;
    this.answers = [];
    this.inMemory = false;
    this.#load();
  }

  // The oldest answer that must still be sent: { trial, said, kind }.
  get first() {
    this.#load(); // another window of this reader may have sent it
    return this.answers[0];
  }

  // `kind` is "answer", or "marks" for the marks that follow one.
  keep(trial, said, kind = "answer") {
    this.#load();
    this.answers.push({ trial, said, kind });
    this.#store();
  }

  drop(id) {
    this.#load();
    this.answers = this.answers.filter((answer) => answer.said.id !== id);
    this.#store();
  }

  // If the browser forbids storage, or has no space, they are kept only in memory.
  #load() {
    if (this.inMemory) return;
    try {
      this.answers = JSON.parse(localStorage.getItem(this.name) ?? "[]");
    } catch {}
  }

  #store() {
    try {
      if (this.answers.length) localStorage.setItem(this.name, JSON.stringify(this.answers));
      else localStorage.removeItem(this.name);
      this.inMemory = false;
    } catch {
      this.inMemory = true;
    }
  }
}

// A random UUID (version 4); crypto.randomUUID is not available on plain http.
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
}

// Images: fetched sealed while the reader views the previous one, and opened with the key that is sent when they are due.

const NONCE = new Uint8Array(12); // each key seals only one image

export class Images {
  constructor(line) {
    this.line = line;
    this.travelling = new Map(); // address -> promise of sealed bytes
    this.held = new Map(); // address -> bitmap, for the last trial, so that an image requested twice is fetched once
    // WebCrypto is only available on https and on localhost.
    this.way = globalThis.crypto?.subtle ? "sealed" : "clear";
  }

  // Fetch images that may be fetched, and forget those that are no longer ahead.
  prefetch(addresses) {
    if (this.way !== "sealed") return;
    for (const address of this.travelling.keys()) if (!addresses.includes(address)) this.travelling.delete(address);
    for (const address of addresses) {
      if (!this.travelling.has(address)) this.travelling.set(address, this.line.bytes(address).catch(() => null));
    }
  }

  // Whether all these images have arrived, sealed.
  async ready(images) {
    const here = await Promise.all(images.map((image) => Promise.race([this.travelling.get(image.sealed), null])));
    return here.every(Boolean);
  }

  // The decoded images of a trial as `bitmaps`, from sealed or clear bytes; or the reason why one is missing, as `failed`.
  async take(images) {
    for (const address of this.held.keys()) if (!images.some((image) => image.address === address)) this.held.delete(address);
    const taken = await Promise.all(images.map((image) => this.#take(image)));
    const missing = taken.find(({ failed }) => failed);
    return missing ?? { bitmaps: taken.map(({ bitmap }) => bitmap) };
  }

  async #take(image) {
    if (this.held.has(image.address)) return { bitmap: this.held.get(image.address) };
    const bytes = (await this.#opened(image)) ?? (await this.line.bytes(image.address).catch(() => null));
    if (!bytes) return { failed: "not-fetched" };
    const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" })).catch(() => null);
    if (!bitmap) return { failed: "not-decoded" };
    this.held.set(image.address, bitmap);
    return { bitmap };
  }

  async #opened(image) {
    const sealed = await this.travelling.get(image.sealed);
    this.travelling.delete(image.sealed);
    if (!sealed) return null;
    const key = await crypto.subtle.importKey("raw", fromBase64(image.key), "AES-GCM", false, ["decrypt"]);
    return crypto.subtle.decrypt({ name: "AES-GCM", iv: NONCE }, key, sealed).catch(() => null);
  }
}

const fromBase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

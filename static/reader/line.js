// The connection to the server. It never gives up: a request is sent again, at growing intervals, until it is answered.

const PATIENCE_MS = 8000; // a response that takes longer counts as lost
const FIRST_MS = 400;
const LONGEST_MS = 8000;

// The server refused the request and said why. Nothing was changed there.
export class Refusal extends Error {
  constructor({ error, message }) {
    super(message);
    this.code = error;
  }
}

export class Line {
  // `waiting(true)` is called when the connection is lost, `waiting(false)` when it is back.
  constructor(base, waiting) {
    this.base = base;
    this.waiting = waiting;
  }

  // The JSON response of `path` to `body`, and `sentAt`, the time of the request (performance.now). If `wanted()` becomes false, nobody waits for it any longer.
  async post(path, body, wanted = () => true) {
    for (let wait = FIRST_MS; wanted(); wait = Math.min(2 * wait, LONGEST_MS)) {
      const response = await this.#once(path, body);
      if (response) {
        this.waiting(false);
        if (response.refusal) throw response.refusal;
        return response.told;
      }
      this.waiting(true);
      await backOnline(wait * (0.75 + 0.5 * Math.random()));
    }
    return null;
  }

  // The bytes at `address`, with one attempt. Throws if they cannot be fetched.
  async bytes(address) {
    const response = await fetch(address, { signal: AbortSignal.timeout(4 * PATIENCE_MS) });
    if (!response.ok) throw new Error(`${response.status} for an image`);
    return response.arrayBuffer();
  }

  async #once(path, body) {
    const sentAt = performance.now();
    try {
      const response = await fetch(this.base + path, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      if (response.ok) return { told: { ...(await response.json()), sentAt } };
      // A tunnel or proxy may answer while the server is down: only our own refusals are final.
      const refused = response.status < 500 && response.status !== 429 ? await response.json() : {};
      return refused.error ? { refusal: new Refusal(refused) } : null;
    } catch {
      return null;
    }
  }
}

export const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms));

// After `ms`, or at once when the browser reports that it is online again.
function backOnline(ms) {
  return new Promise((wake) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      wake();
    };
    const timer = setTimeout(done, ms);
    addEventListener("online", done);
  });
}

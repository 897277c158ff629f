// Shows one image for an exact time: it is prepared under a mask, uncovered at the beginning of a frame, and covered
// again at the beginning of the frame closest to the requested time; the screen's own clock measures the exposure.

const STEADY = 12; // number of frames used to measure the length of one
const BLOCK_PX = 12; // block size of the mask's pattern

export class Exposure {
  constructor(room, viewer) {
    this.viewer = viewer;
    this.mask = room.querySelector("#mask");
  }

  // Show `bitmaps` for `exposure_ms`, then the mask's pattern for `mask_ms`, then plain grey. Calls `began` with the time
  // of the first frame. Resolves, when the image is covered, with the measurements in the form stored with the answer.
  async show(bitmaps, { exposure_ms, mask_ms }, began) {
    this.#grey();
    this.mask.hidden = false;
    this.viewer.draw(bitmaps);
    const frame_ms = await this.#steady();
    const first = await visibleFrame();
    this.mask.hidden = true;
    began(first);
    const { last, frames, cut } = await this.#wait(first, exposure_ms - frame_ms / 2);
    if (mask_ms && !cut) this.#pattern();
    this.mask.hidden = false;
    this.viewer.hide();
    if (mask_ms) setTimeout(() => this.#grey(), mask_ms);
    return { shown_ms: tenths(last - first), frames, frame_ms: tenths(frame_ms), cut };
  }

  // Show the image again, because the truth of a practice case is being shown.
  uncover() {
    if (this.mask) this.mask.hidden = true;
  }

  // Resolves at the first frame `wait` ms after `first`, or when the page is hidden and nobody sees the image.
  #wait(first, wait) {
    return new Promise((done) => {
      let frames = 0;
      const hidden = () => {
        if (document.visibilityState === "visible") return;
        cancelAnimationFrame(next);
        finish(Math.max(first, performance.now()), true);
      };
      const finish = (last, cut) => {
        document.removeEventListener("visibilitychange", hidden);
        done({ last, frames, cut });
      };
      const count = (now) => {
        frames += 1;
        if (now - first >= wait) finish(now, false);
        else next = requestAnimationFrame(count);
      };
      let next = requestAnimationFrame(count);
      document.addEventListener("visibilitychange", hidden);
    });
  }

  // The median length of a frame. In the meantime, the image is transferred to the graphics memory.
  async #steady() {
    const times = [];
    while (times.length <= STEADY) times.push(await visibleFrame());
    const lengths = times.slice(1).map((time, number) => time - times[number]);
    return lengths.sort((a, b) => a - b)[STEADY / 2];
  }

  #grey() {
    this.mask.width = this.mask.height = 1;
  }

  // Random greys, unrelated to the image.
  #pattern() {
    const { mask } = this;
    mask.width = Math.ceil(mask.clientWidth || mask.parentElement.clientWidth) / BLOCK_PX + 1;
    mask.height = Math.ceil(mask.clientHeight || mask.parentElement.clientHeight) / BLOCK_PX + 1;
    const context = mask.getContext("2d");
    const pixels = context.createImageData(mask.width, mask.height);
    for (let at = 0; at < pixels.data.length; at += 4) {
      pixels.data.fill(Math.floor(256 * Math.random()), at, at + 3);
      pixels.data[at + 3] = 255;
    }
    context.putImageData(pixels, 0, 0);
  }
}

// The beginning of the next frame, by the clock of performance.now. A page in the background has none.
const visibleFrame = () => new Promise(requestAnimationFrame);
const tenths = (value) => Math.round(10 * value) / 10;

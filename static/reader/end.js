// The last page: copies the completion code, and draws a card to keep. Its contents are already on the page.

const [WIDTH, HEIGHT, EDGE] = [1200, 630, 80];
const COLOURS = { ground: "#0b0d10", line: "#3a434d", text: "#e7eaed", quiet: "#a5afb9", accent: "#8cc8dc" };
const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

for (const button of navigator.clipboard ? document.querySelectorAll("[data-copy]") : []) {
  const words = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = button.dataset.copied;
    setTimeout(() => (button.textContent = words), 2000);
  });
}

const card = document.getElementById("card");
if (card) {
  const canvas = card.querySelector("canvas");
  await draw(canvas, card.dataset);
  card.hidden = false;
  card.querySelector("button").addEventListener("click", () => canvas.toBlob(save));
}

function save(blob) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: `${card.dataset.name}.png` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

async function draw(canvas, { title, judged, result, wordmark }) {
  Object.assign(canvas, { width: WIDTH, height: HEIGHT });
  const pen = canvas.getContext("2d");
  pen.fillStyle = COLOURS.ground;
  pen.fillRect(0, 0, WIDTH, HEIGHT);
  pen.strokeStyle = COLOURS.line;
  pen.lineWidth = 4;
  pen.strokeRect(24, 24, WIDTH - 48, HEIGHT - 48);
  pen.textBaseline = "alphabetic";
  let y = 170;
  for (const line of wrapped(pen, title, 56, 3)) {
    say(pen, line, 56, y, COLOURS.text, 600);
    y += 70;
  }
  say(pen, judged, 40, y + 20, COLOURS.accent);
  if (result) say(pen, result, 40, y + 84, COLOURS.quiet);
  const mark = new Image();
  mark.src = wordmark;
  await mark.decode().catch(() => {}); // without it, the card still has all its text
  if (mark.naturalWidth) pen.drawImage(mark, EDGE, HEIGHT - 120, 232, 50);
}

function say(pen, words, size, y, colour, weight = 400) {
  pen.font = `${weight} ${size}px ${FONT}`;
  pen.fillStyle = colour;
  pen.fillText(words, EDGE, y, WIDTH - 2 * EDGE);
}

// The text in lines that fit, up to a maximum number; if the last line is too long, it is cut and marked as such.
function wrapped(pen, words, size, most) {
  pen.font = `600 ${size}px ${FONT}`;
  const fits = (line) => pen.measureText(line).width <= WIDTH - 2 * EDGE;
  const lines = [];
  for (const word of words.split(/\s+/)) {
    const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
    if (lines.length && fits(longer)) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  if (lines.length <= most) return lines;
  let last = lines[most - 1];
  while (!fits(`${last} …`)) last = last.slice(0, -1);
  return [...lines.slice(0, most - 1), `${last} …`];
}

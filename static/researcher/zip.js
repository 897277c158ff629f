// Packs files into one zip without compression: images hardly shrink. Only what is needed; ZIP specification (APPNOTE) 4.3.7 and 4.3.12.

const MOST_BYTES = 2 ** 32 - 1; // larger archives need another zip format
const MOST_FILES = 2 ** 16 - 1;
const UTF_8 = 0x0800;
const FIRST_DAY = 0x21; // 1 January 1980: the true date of a file stays private

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? 0xedb88320 ^ (byte >>> 1) : byte >>> 1;
  return byte;
});

function crc32(bytes) {
  let crc = -1;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
}

// The numbers given as [width in bytes, value], little-endian.
function packed(...numbers) {
  const view = new DataView(new ArrayBuffer(numbers.reduce((sum, [wide]) => sum + wide, 0)));
  let at = 0;
  for (const [wide, value] of numbers) {
    if (wide === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += wide;
  }
  return view.buffer;
}

/** A zip of `entries`, each [name, File]; calls `tell(share)` with the progress. The files stay on disk until they are sent. */
export async function zipped(entries, tell) {
  const parts = [];
  const directory = [];
  let [length, done] = [0, 0];
  const add = (list, ...more) => more.forEach((part) => list.push(part));
  for (const [path, file] of entries) {
    const name = new TextEncoder().encode(path);
    const sum = crc32(new Uint8Array(await file.arrayBuffer()));
    const about = [[2, 20], [2, UTF_8], [2, 0], [2, 0], [2, FIRST_DAY], [4, sum], [4, file.size], [4, file.size], [2, name.length]];
    add(directory, packed([4, 0x02014b50], [2, 20], ...about, [2, 0], [2, 0], [2, 0], [2, 0], [4, 0], [4, length]), name);
    add(parts, packed([4, 0x04034b50], ...about, [2, 0]), name, file);
    length += 30 + name.length + file.size;
    tell(++done / entries.length);
  }
  const size = directory.reduce((sum, part) => sum + part.byteLength, 0);
  if (entries.length > MOST_FILES || length + size > MOST_BYTES) {
    throw new Error("One upload can have at most 65,535 files and 4 GB. Please upload in parts or as a zip.");
  }
  const count = [2, entries.length];
  return new Blob([...parts, ...directory, packed([4, 0x06054b50], [2, 0], [2, 0], count, count, [4, size], [4, length], [2, 0])]);
}

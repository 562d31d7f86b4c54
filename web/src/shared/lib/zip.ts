/**
 * What is in a ZIP, read from its end: only the central directory and the two files that matter are looked at, so a
 * package of 2 GB is checked in milliseconds. (PKWARE APPNOTE 6.3, sections 4.3.7, 4.3.12, 4.3.14 to 4.3.16.)
 */
export interface Entry {
  name: string;
  size: number;
  compressed: number;
  method: number;
  flags: number;
  crc: number;
  offset: number;
  directory: boolean;
  time: number;
}

export type ZipFault =
  | { kind: "not-zip" }
  | { kind: "encrypted"; name: string }
  | { kind: "empty" }
  | { kind: "nested"; folder: string }
  | { kind: "no-predict" }
  | { kind: "no-requirements" }
  | { kind: "no-run" }
  | { kind: "too-large"; size: number; limit: number }
  | { kind: "too-many"; count: number; limit: number };

export interface ZipReport {
  entries: Entry[];
  faults: ZipFault[];
  unpacked: number;
  requirements: string[];
  dockerfile: boolean;
}

const END = 0x06054b50;
const END64 = 0x06064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const MAX32 = 0xffffffff;
export const LIMIT = { bytes: 2 * 1024 ** 3, unpacked: 4 * 1024 ** 3, entries: 20_000 };

export class NotZip extends Error {}

async function view(file: Blob, start: number, end: number): Promise<DataView> {
  return new DataView(await file.slice(start, end).arrayBuffer());
}

export async function readEntries(file: Blob): Promise<Entry[]> {
  const tailStart = Math.max(0, file.size - 65_557);
  const tail = await view(file, tailStart, file.size);
  let end = tail.byteLength - 22;
  while (end >= 0 && tail.getUint32(end, true) !== END) end -= 1;
  if (end < 0) throw new NotZip();
  let count = tail.getUint16(end + 10, true);
  let size = tail.getUint32(end + 12, true);
  let offset = tail.getUint32(end + 16, true);
  if (count === 0xffff || size === MAX32 || offset === MAX32) {
    if (end < 20) throw new NotZip();
    const at = Number(tail.getBigUint64(end - 20 + 8, true));
    const end64 = await view(file, at, at + 56);
    if (end64.byteLength < 56 || end64.getUint32(0, true) !== END64) throw new NotZip();
    count = Number(end64.getBigUint64(32, true));
    size = Number(end64.getBigUint64(40, true));
    offset = Number(end64.getBigUint64(48, true));
  }
  if (offset + size > file.size || size > 64 * 1024 ** 2) throw new NotZip();
  return parseCentral(await view(file, offset, offset + size), count);
}

function parseCentral(data: DataView, count: number): Entry[] {
  const entries: Entry[] = [];
  const decoder = new TextDecoder();
  let at = 0;
  for (let i = 0; i < count; i += 1) {
    if (at + 46 > data.byteLength || data.getUint32(at, true) !== CENTRAL) throw new NotZip();
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((o) => data.getUint16(at + o, true)) as [number, number, number];
    const name = decoder.decode(new Uint8Array(data.buffer, data.byteOffset + at + 46, nameLength));
    let size = data.getUint32(at + 24, true);
    let compressed = data.getUint32(at + 20, true);
    let offset = data.getUint32(at + 42, true);
    for (let extra = at + 46 + nameLength, last = extra + extraLength; extra + 4 <= last; ) {
      const length = data.getUint16(extra + 2, true);
      if (data.getUint16(extra, true) === 1) {
        let field = extra + 4;
        const next = () => {
          const value = Number(data.getBigUint64(field, true));
          field += 8;
          return value;
        };
        if (size === MAX32) size = next();
        if (compressed === MAX32) compressed = next();
        if (offset === MAX32) offset = next();
      }
      extra += 4 + length;
    }
    entries.push({
      name: name.replaceAll("\\", "/"),
      size,
      compressed,
      offset,
      method: data.getUint16(at + 10, true),
      flags: data.getUint16(at + 8, true),
      time: data.getUint32(at + 12, true),
      crc: data.getUint32(at + 16, true),
      directory: /[\\/]$/.test(name),
    });
    at += 46 + nameLength + extraLength + commentLength;
  }
  return entries;
}

async function dataStart(file: Blob, entry: Entry): Promise<number> {
  const head = await view(file, entry.offset, entry.offset + 30);
  if (head.byteLength < 30 || head.getUint32(0, true) !== LOCAL) throw new NotZip();
  return entry.offset + 30 + head.getUint16(26, true) + head.getUint16(28, true);
}

/** The text of one small entry; null when it uses a method the browser cannot read. */
export async function readText(file: Blob, entry: Entry, limit = 1024 ** 2): Promise<string | null> {
  if (entry.size > limit || (entry.method !== 0 && entry.method !== 8)) return null;
  const start = await dataStart(file, entry);
  const raw = file.slice(start, start + entry.compressed);
  if (entry.method === 0) return raw.text();
  return new Response(raw.stream().pipeThrough(new DecompressionStream("deflate-raw"))).text();
}

const isJunk = (name: string) => /^__MACOSX\/|(^|\/)\.DS_Store$/.test(name);

/** Name what the platform would refuse, before anything is sent. The platform's own check has the last word. */
export async function checkZip(file: Blob): Promise<ZipReport> {
  let entries: Entry[];
  try {
    entries = await readEntries(file);
  } catch {
    return { entries: [], faults: [{ kind: "not-zip" }], unpacked: 0, requirements: [], dockerfile: false };
  }
  const faults: ZipFault[] = [];
  const files = entries.filter((entry) => !entry.directory && !isJunk(entry.name));
  const unpacked = entries.reduce((sum, entry) => sum + entry.size, 0);
  const at = (name: string) => files.find((entry) => entry.name === name);
  const locked = files.find((entry) => entry.flags & 1);
  if (locked) faults.push({ kind: "encrypted", name: locked.name });
  if (!files.length) faults.push({ kind: "empty" });
  if (file.size > LIMIT.bytes) faults.push({ kind: "too-large", size: file.size, limit: LIMIT.bytes });
  else if (unpacked > LIMIT.unpacked) faults.push({ kind: "too-large", size: unpacked, limit: LIMIT.unpacked });
  if (entries.length > LIMIT.entries) faults.push({ kind: "too-many", count: entries.length, limit: LIMIT.entries });
  const predict = at("predict.py");
  let requirements: string[] = [];
  if (!predict && files.length) {
    const nested = files
      .filter((entry) => entry.name.endsWith("/predict.py"))
      .sort((a, b) => a.name.length - b.name.length)[0];
    if (nested) faults.push({ kind: "nested", folder: nested.name.slice(0, -"predict.py".length) });
    else faults.push({ kind: "no-predict" });
  } else if (predict && !locked) {
    if (!at("requirements.txt")) faults.push({ kind: "no-requirements" });
    const source = await readText(file, predict).catch(() => null);
    if (source !== null && !/^def\s+run\s*\(/m.test(source)) faults.push({ kind: "no-run" });
    const wanted = at("requirements.txt");
    const lines = wanted && (await readText(file, wanted).catch(() => null));
    requirements = (lines ?? "").split("\n").map((line) => line.replace(/#.*/, "").trim()).filter(Boolean);
  }
  return { entries, faults, unpacked, requirements, dockerfile: Boolean(at("Dockerfile")) };
}

/**
 * Make the same package without the folder around it. The compressed bytes are taken over as they are (slices of the
 * file, not copies), only the headers are written anew.
 */
export async function liftFolder(file: Blob, entries: Entry[], folder: string): Promise<Blob> {
  const parts: BlobPart[] = [];
  const central: Uint8Array[] = [];
  const encoder = new TextEncoder();
  let offset = 0;
  const kept = entries.filter((entry) => entry.name.startsWith(folder) && entry.name !== folder && !isJunk(entry.name));
  for (const entry of kept) {
    if (Math.max(entry.size, entry.compressed, offset) >= MAX32) throw new Error("zip64");
    const name = encoder.encode(entry.name.slice(folder.length));
    const start = await dataStart(file, entry);
    const flags = (entry.flags & ~0x0008) | 0x0800;
    const common = new DataView(new ArrayBuffer(26));
    const fields: [number, number, 2 | 4][] = [
      [0, 20, 2], [2, flags, 2], [4, entry.method, 2], [6, entry.time, 4], [10, entry.crc, 4],
      [14, entry.compressed, 4], [18, entry.size, 4], [22, name.length, 2], [24, 0, 2],
    ]; // prettier-ignore
    for (const [o, value, width] of fields) {
      if (width === 2) common.setUint16(o, value, true);
      else common.setUint32(o, value, true);
    }
    const shared = new Uint8Array(common.buffer);
    parts.push(record(LOCAL, [shared, name]), file.slice(start, start + entry.compressed));
    const tail = new DataView(new ArrayBuffer(14));
    tail.setUint32(10, offset, true);
    central.push(record(CENTRAL, [new Uint8Array([20, 0]), shared, new Uint8Array(tail.buffer), name]));
    offset += 30 + name.length + entry.compressed;
  }
  const size = central.reduce((sum, each) => sum + each.length, 0);
  const end = new DataView(new ArrayBuffer(18));
  end.setUint16(4, kept.length, true);
  end.setUint16(6, kept.length, true);
  end.setUint32(8, size, true);
  end.setUint32(12, offset, true);
  return new Blob([...parts, ...(central as BlobPart[]), record(END, [new Uint8Array(end.buffer)])], { type: "application/zip" });
}

function record(signature: number, pieces: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(4 + pieces.reduce((sum, each) => sum + each.length, 0));
  new DataView(result.buffer).setUint32(0, signature, true);
  let at = 4;
  for (const piece of pieces) {
    result.set(piece, at);
    at += piece.length;
  }
  return result;
}

import { text } from "@/shared/text";

/** Numbers and times as people read them. English, tabular, no locale surprises. */

const UNITS = ["B", "KB", "MB", "GB", "TB"];

/** 1536 → "1.5 KB". */
export function bytes(n: number | null | undefined): string {
  if (n === null || n === undefined || !Number.isFinite(n)) return "–";
  let unit = 0;
  let value = Math.abs(n);
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${n < 0 ? "-" : ""}${value.toFixed(digits).replace(/\.0$/, "")} ${UNITS[unit]}`;
}

/** 4.2 → "4.2 ms", 1530 → "1.5 s", 92000 → "1 min 32 s". */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return "–";
  if (ms < 0) return "0 ms";
  if (ms < 10) return `${Number(ms.toFixed(1))} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const s = Math.round(ms / 1000);
  const [h, m] = [Math.floor(s / 3600), Math.floor((s % 3600) / 60)];
  if (h) return m ? `${h} h ${m} min` : `${h} h`;
  return s % 60 ? `${m} min ${s % 60} s` : `${m} min`;
}

/** Durations along an axis, all in the unit of the largest: 0 s, 0.5 s, 1 s. */
export function durations(ms: number[]): string[] {
  const most = Math.max(0, ...ms);
  const [unit, size] = most >= 3_600_000 ? ["h", 3_600_000] : most >= 60_000 ? ["min", 60_000] : most >= 1000 ? ["s", 1000] : ["ms", 1];
  return ms.map((each) => `${Number((each / Number(size)).toFixed(2))} ${unit}`);
}

const STEPS: [number, keyof typeof text.time.units][] = [
  [86_400 * 365, "year"],
  [86_400 * 30, "month"],
  [86_400, "day"],
  [3600, "hour"],
  [60, "minute"],
];

/** "just now", "4 minutes ago", "in 2 hours"; short: "4 min ago". */
export function relative(when: string | number | Date, now = Date.now(), short = false): string {
  const seconds = (now - new Date(when).getTime()) / 1000;
  const size = Math.abs(seconds);
  if (size < 45) return seconds < -5 ? text.time.soon : text.time.now;
  for (const [step, name] of STEPS) {
    if (size >= step * 0.95 || step === 60) {
      const n = Math.max(1, Math.round(size / step));
      const words = short ? `${n} ${text.time.short[name]}` : text.time.many(n, text.time.units[name]);
      return seconds < 0 ? text.time.ahead(words) : text.time.ago(words);
    }
  }
  return text.time.now;
}

/** "24 Nov 2026, 10:23:11" in the reader's time zone. */
export function absolute(when: string | number | Date): string {
  return new Date(when).toLocaleString("en-GB", {
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
}

export function clock(when: string | number | Date): string {
  return new Date(when).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

/** UUIDv7s of one minute share their beginning, so the end tells them apart. */
export function shortId(id: string): string {
  return id.length > 12 ? id.slice(-8) : id;
}

export function shortDigest(digest: string): string {
  return digest.replace(/^(sha256:)?(.{12}).*$/, "$1$2");
}

export function percent(part: number, whole: number): string {
  if (!whole) return "–";
  const value = (100 * part) / whole;
  return `${value < 99.95 && value > 0.05 && value % 1 > 0.05 ? value.toFixed(1) : Math.round(value)} %`;
}

/** The q-quantile of numbers in any order; null for none. */
export function quantile(values: number[], q: number): number | null {
  if (!values.length) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? null;
}

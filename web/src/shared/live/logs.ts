import type { LogFrame } from "./frames";

/** The lines of one log, in order and each once; tells its readers at most once a frame. */
export class LogStore {
  lines: string[] = [];
  version = 0;
  /** The lines reach back to the first one. */
  #seqs: number[] = [];
  #listeners = new Set<() => void>();
  #scheduled = false;
  #schedule: (work: () => void) => void;

  constructor(schedule: (work: () => void) => void = (work) => setTimeout(work, 50)) {
    this.#schedule = schedule;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  snapshot = (): number => this.version;

  take(frame: LogFrame | { type: "reset" }): void {
    if (frame.type === "reset") {
      this.lines = [];
      this.#seqs = [];
    } else {
      const last = this.#seqs[this.#seqs.length - 1] ?? -1;
      if (frame.seq > last) {
        this.#seqs.push(frame.seq);
        this.lines.push(frame.line);
      } else {
        // a line from before: a replay after another reader joined, or truly late
        const at = lowerBound(this.#seqs, frame.seq);
        if (this.#seqs[at] === frame.seq) return;
        this.#seqs.splice(at, 0, frame.seq);
        this.lines.splice(at, 0, frame.line);
      }
    }
    this.#announce();
  }

  #announce(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#schedule(() => {
      this.#scheduled = false;
      this.version += 1;
      for (const listener of this.#listeners) listener();
    });
  }
}

function lowerBound(sorted: number[], value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function splitLog(text: string): string[] {
  if (!text) return [];
  const lines = text.split("\n");
  if (lines[lines.length - 1] === "") lines.pop();
  return lines;
}

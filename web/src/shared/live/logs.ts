import type { LogFrame } from "./frames";

const REPLAY_MS = 500;

/** The lines of one log, in order and each once; tells its readers at most once a frame. */
export class LogStore {
  lines: string[] = [];
  /** When each line came, in milliseconds since 1970; 0 for one from before this page looked. */
  times: number[] = [];
  version = 0;
  #seqs: number[] = [];
  #listeners = new Set<() => void>();
  #scheduled = false;
  #schedule: (work: () => void) => void;
  #openedAt: number;
  #now: () => number;

  constructor(schedule: (work: () => void) => void = (work) => setTimeout(work, 50), now = Date.now) {
    this.#schedule = schedule;
    this.#now = now;
    this.#openedAt = now();
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  snapshot = (): number => this.version;

  take(frame: LogFrame | { type: "reset" }): void {
    if (frame.type === "reset") {
      this.lines = [];
      this.times = [];
      this.#seqs = [];
      this.#openedAt = this.#now();
    } else {
      const now = this.#now();
      // what comes at once after the subscription is the log so far, told again
      const time = now - this.#openedAt < REPLAY_MS ? 0 : now;
      const last = this.#seqs[this.#seqs.length - 1] ?? -1;
      if (frame.seq > last) {
        this.#seqs.push(frame.seq);
        this.lines.push(frame.line);
        this.times.push(time);
      } else {
        // a line from before: a replay after another reader joined, or truly late
        const at = lowerBound(this.#seqs, frame.seq);
        if (this.#seqs[at] === frame.seq) return;
        this.#seqs.splice(at, 0, frame.seq);
        this.lines.splice(at, 0, frame.line);
        this.times.splice(at, 0, 0);
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

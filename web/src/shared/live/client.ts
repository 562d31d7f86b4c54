import type { EventFrame, Frame, LogFrame } from "./frames";

/**
 * One WebSocket for the whole page. It knows the sequence number of the last event it showed and asks for what came
 * after it, so a lost network or a restarted notifier leaves nothing missing and nothing twice.
 */
export type LiveState = "off" | "connecting" | "live" | "reconnecting";

export interface SocketLike {
  onopen: ((event: never) => unknown) | null;
  onmessage: ((event: MessageEvent<unknown>) => unknown) | null;
  onclose: ((event: CloseEvent) => unknown) | null;
  onerror: ((event: never) => unknown) | null;
  send(data: string): void;
  close(code?: number): void;
  readonly readyState: number;
}

export interface LiveOptions {
  /** A single-use ticket; null when nobody is signed in. */
  ticket: () => Promise<string | null>;
  open: (ticket: string, since: number | null) => SocketLike;
  onEvent: (frame: EventFrame) => void;
  /** History is gone: fetch everything afresh. */
  onReset: () => void;
  /** The first connection after some time without one; queries made meanwhile may be old. */
  onState?: (state: LiveState) => void;
  random?: () => number;
}

export type LogListener = (frame: LogFrame | { type: "reset"; topic: string }) => void;

const BACKOFF_MS = [250, 500, 1000, 2000, 4000, 8000];
const SILENCE_MS = 50_000;
const SEEN_MAX = 2_000;
const OPEN = 1;

interface Topic {
  listeners: Set<LogListener>;
  last: number | null;
}

export class LiveClient {
  state: LiveState = "off";
  /** When the page last knew everything; shown while it reconnects. */
  knewAt: number | null = null;
  #options: LiveOptions;
  #socket: SocketLike | null = null;
  #lastSeq: number | null = null;
  #readySeq: number | null = null;
  #seen = new Set<string>();
  #topics = new Map<string, Topic>();
  #attempt = 0;
  #generation = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #beats = false;

  constructor(options: LiveOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.state !== "off") return;
    this.#set("connecting");
    void this.#connect();
  }

  /** Leave and forget; the next user starts from nothing. */
  stop(): void {
    this.#drop();
    this.#lastSeq = null;
    this.#seen.clear();
    this.#attempt = 0;
    this.knewAt = null;
    this.#set("off");
  }

  /** The network or the machine went or came back: do not wait for the backoff. `suspect`: the socket may be dead. */
  wake(suspect = false): void {
    if (this.state === "off" || (this.state === "live" && !suspect)) return;
    this.#attempt = 0;
    this.#lost();
    clearTimeout(this.#retry);
    void this.#connect();
  }

  /** Follow the log lines of `version:<id>` or `job:<id>`, from their start. Returns how to stop. */
  follow(topic: string, listener: LogListener): () => void {
    let entry = this.#topics.get(topic);
    if (entry) {
      // a second reader needs the lines from the start too; seqs let the first one drop what it has
      entry.listeners.add(listener);
      this.#subscribe(topic, null);
    } else {
      entry = { listeners: new Set([listener]), last: null };
      this.#topics.set(topic, entry);
      this.#subscribe(topic, null);
    }
    const followed = entry;
    return () => {
      followed.listeners.delete(listener);
      if (followed.listeners.size || this.#topics.get(topic) !== followed) return;
      this.#topics.delete(topic);
      this.#send({ op: "unsubscribe", topic });
    };
  }

  async #connect(): Promise<void> {
    const generation = ++this.#generation;
    let ticket: string | null;
    try {
      ticket = await this.#options.ticket();
    } catch {
      if (generation === this.#generation) this.#again();
      return;
    }
    if (generation !== this.#generation) return;
    if (ticket === null) return this.stop();
    const socket = this.#options.open(ticket, this.#lastSeq);
    this.#socket = socket;
    const current = () => this.#socket === socket;
    socket.onmessage = ({ data }) => {
      if (current()) this.#receive(String(data));
    };
    socket.onclose = () => {
      if (current()) {
        this.#lost();
        this.#again();
      }
    };
    socket.onerror = () => undefined;
  }

  #receive(text: string): void {
    let frame: Frame;
    try {
      frame = JSON.parse(text) as Frame;
    } catch {
      return;
    }
    if (frame.type === "heartbeat" || frame.type === "ping") this.#beats = true;
    this.#watch();
    this.knewAt = Date.now();
    if (frame.type === "ready") {
      // with a `since` the events after it still follow: only they move the mark
      this.#lastSeq ??= frame.seq;
      this.#readySeq = frame.seq;
      this.#attempt = 0;
      for (const [topic, { last }] of this.#topics) this.#subscribe(topic, last);
      this.#set("live");
    } else if (frame.type === "event") this.#event(frame);
    else if (frame.type === "log") this.#log(frame);
    else if (frame.type === "reset") this.#reset(frame.topic);
  }

  #event(frame: EventFrame): void {
    if (this.#lastSeq !== null && frame.seq <= this.#lastSeq) return;
    this.#lastSeq = frame.seq;
    // a deliberate re-emission has a new seq and the same id
    if (this.#seen.has(frame.id)) return;
    this.#seen.add(frame.id);
    if (this.#seen.size > SEEN_MAX) this.#seen.delete(this.#seen.values().next().value as string);
    this.#options.onEvent(frame);
  }

  #log(frame: LogFrame): void {
    const topic = this.#topics.get(frame.topic);
    if (!topic) return;
    topic.last = Math.max(topic.last ?? 0, frame.seq);
    for (const listener of topic.listeners) listener(frame);
  }

  #reset(topic: string | undefined): void {
    if (topic !== undefined) {
      const entry = this.#topics.get(topic);
      if (!entry) return;
      entry.last = null;
      for (const listener of entry.listeners) listener({ type: "reset", topic });
      return;
    }
    // what happened before this connection is in the rows; what comes after it comes as events
    this.#lastSeq = this.#readySeq;
    this.#options.onReset();
  }

  #subscribe(topic: string, since: number | null): void {
    this.#send({ op: "subscribe", topic, ...(since !== null && { since }) });
  }

  #send(message: unknown): void {
    if (this.#socket?.readyState === OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** Only a server that sends heartbeats as frames can be missed. */
  #watch(): void {
    clearTimeout(this.#silence);
    if (this.#beats) this.#silence = setTimeout(() => this.wake(true), SILENCE_MS);
  }

  #lost(): void {
    this.#drop();
    if (this.state !== "off") this.#set(this.knewAt === null ? "connecting" : "reconnecting");
  }

  #drop(): void {
    clearTimeout(this.#retry);
    clearTimeout(this.#silence);
    this.#generation += 1;
    const socket = this.#socket;
    this.#socket = null;
    if (socket && socket.readyState <= OPEN) socket.close();
  }

  #again(): void {
    const base = BACKOFF_MS[Math.min(this.#attempt, BACKOFF_MS.length - 1)] ?? 8000;
    this.#attempt += 1;
    const random = this.#options.random ?? Math.random;
    this.#retry = setTimeout(() => void this.#connect(), base * (0.75 + random() * 0.5));
  }

  #set(state: LiveState): void {
    if (this.state === state) return;
    this.state = state;
    this.#options.onState?.(state);
  }
}

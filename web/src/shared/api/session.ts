import { ApiError, problemOf, unreachable } from "./problem";
import type { Tokens } from "./types";

/**
 * The access token lives in memory only; the refresh token in an HttpOnly cookie the page cannot read.
 *
 * Refreshing rotates the cookie and a used one coming back ends the session, so at most one refresh may be under way
 * in the whole browser: one promise per tab, one lock between tabs, and the winner tells the others its token.
 */
export type SessionState = "unknown" | "in" | "out";

interface Message {
  kind: "token" | "out";
  tokens?: Tokens;
  expiresAt?: number;
}

const HINT = "clinai.session";
const LOCK = "clinai.refresh";
const EARLY_MS = 60_000;
const AGAIN_MS = 4_000;
const LOCK_MS = 10_000;

const storage = {
  get(key: string): string | null {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  },
  set(key: string, value: string | null): void {
    try {
      if (value === null) localStorage.removeItem(key);
      else localStorage.setItem(key, value);
    } catch {
      // private mode: every reload asks the platform
    }
  },
};

/** Web Locks exist on https and localhost only; a page opened over plain http on a LAN uses a lease in localStorage. */
async function exclusively<T>(work: () => Promise<T>): Promise<T> {
  if ("locks" in navigator) return navigator.locks.request(LOCK, work) as Promise<T>;
  const mine = `${Date.now() + LOCK_MS}:${Math.random()}`;
  for (;;) {
    const held = Number(storage.get(LOCK)?.split(":")[0] ?? 0);
    if (held < Date.now()) {
      storage.set(LOCK, mine);
      await new Promise((done) => setTimeout(done, 20));
      if ((storage.get(LOCK) ?? mine) === mine) break;
    }
    await new Promise((done) => setTimeout(done, 50));
  }
  try {
    return await work();
  } finally {
    if (storage.get(LOCK) === mine) storage.set(LOCK, null);
  }
}

export class Session {
  state: SessionState = "unknown";
  #token: string | null = null;
  #expiresAt = 0;
  #refreshing: Promise<string | null> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #listeners = new Set<() => void>();
  #channel: BroadcastChannel | null = null;

  /**
   * Find out whether somebody is signed in; asks the platform only when this browser had a session. A platform that
   * does not answer says nothing about that: it is asked again, and `onWait` hears of it, rather than sending a user
   * who is signed in to the login.
   */
  async start(onWait: () => void = () => undefined): Promise<void> {
    if (typeof BroadcastChannel !== "undefined") {
      this.#channel = new BroadcastChannel("clinai.session");
      this.#channel.onmessage = ({ data }: MessageEvent<Message>) => {
        if (data.kind === "out") this.#end();
        else if (data.tokens) this.#keep(data.tokens, data.expiresAt);
      };
    }
    for (let wait = 500; storage.get(HINT) && this.state === "unknown"; wait = Math.min(2 * wait, AGAIN_MS)) {
      try {
        await this.refresh();
        break;
      } catch (error) {
        if (!(error instanceof ApiError && error.retryable)) break;
        onWait();
        await new Promise((done) => setTimeout(done, wait));
      }
    }
    if (this.state === "unknown") this.#set("out");
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** A token that is valid now, refreshed when it is about to end; null when nobody is signed in. */
  async token(): Promise<string | null> {
    if (this.#token && Date.now() < this.#expiresAt - 5_000) return this.#token;
    return this.state === "out" ? null : this.refresh();
  }

  /** Keep the tokens of a login. */
  begin(tokens: Tokens): void {
    storage.set(HINT, "1");
    this.#keep(tokens);
    this.#tell({ kind: "token", tokens, expiresAt: this.#expiresAt });
  }

  /** Forget the token here and in the other tabs. */
  end(): void {
    this.#end();
    this.#tell({ kind: "out" });
  }

  refresh(stale: string | null = this.#token): Promise<string | null> {
    this.#refreshing ??= exclusively(() => this.#refresh(stale)).finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  async #refresh(stale: string | null): Promise<string | null> {
    // another tab refreshed while this one waited for the lock
    if (this.#token && this.#token !== stale && Date.now() < this.#expiresAt - EARLY_MS / 2) return this.#token;
    let response: Response;
    try {
      response = await fetch("/api/users/refresh", {
        method: "POST",
        credentials: "same-origin",
        headers: { "content-type": "application/json" },
        body: "{}",
      });
    } catch {
      throw unreachable();
    }
    if (response.status === 400 || response.status === 401 || response.status === 403) {
      this.end();
      return null;
    }
    if (!response.ok) throw await problemOf(response);
    const tokens = (await response.json()) as Tokens;
    this.begin(tokens);
    return tokens.access_token;
  }

  #keep(tokens: Tokens, expiresAt = Date.now() + tokens.expires_in * 1000): void {
    this.#token = tokens.access_token;
    this.#expiresAt = expiresAt;
    clearTimeout(this.#timer);
    const wait = Math.max(expiresAt - Date.now() - EARLY_MS, tokens.expires_in * 500);
    this.#timer = setTimeout(() => void this.refresh().catch(() => null), Math.min(wait, 2 ** 31 - 1));
    this.#set("in");
  }

  #end(): void {
    this.#token = null;
    clearTimeout(this.#timer);
    storage.set(HINT, null);
    this.#set("out");
  }

  #set(state: SessionState): void {
    if (this.state === state) return;
    this.state = state;
    for (const listener of this.#listeners) listener();
  }

  #tell(message: Message): void {
    this.#channel?.postMessage(message);
  }
}

export const session = new Session();

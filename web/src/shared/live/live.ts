import type { QueryClient } from "@tanstack/react-query";
import { useEffect, useState, useSyncExternalStore } from "react";
import { api } from "@/shared/api/http";
import { session } from "@/shared/api/session";
import { applyEvent } from "./cache";
import { LiveClient, type LiveState } from "./client";
import type { EventFrame } from "./frames";
import { LogStore } from "./logs";
import type { Job, Ticket, Version } from "@/shared/api/types";

type Listener = (frame: EventFrame, object: Version | Job) => void;

const stateListeners = new Set<() => void>();
const eventListeners = new Set<Listener>();
let client: LiveClient | null = null;

/** Connect the page's one socket to its cache; call once. */
export function startLive(queries: QueryClient): LiveClient {
  const live = new LiveClient({
    ticket: async () => {
      if (session.state !== "in") return null;
      return (await api.post<Ticket>("/api/live/ticket")).ticket;
    },
    open: (ticket, since) => {
      const url = new URL("/ws", location.href);
      url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
      url.searchParams.set("ticket", ticket);
      if (since !== null) url.searchParams.set("since", String(since));
      return new WebSocket(url);
    },
    onEvent: (frame) => {
      // there are events of other things, too: the page shows versions and jobs
      if (!/^(version|job)\./.test(frame.event)) return;
      const object = applyEvent(queries, frame);
      for (const listener of eventListeners) listener(frame, object);
    },
    onReset: () => void queries.invalidateQueries(),
    onState: (state) => {
      // pages fetched before the first connection may have missed what happened in between
      if (state === "live" && first) {
        first = false;
        void queries.invalidateQueries({ refetchType: "active" });
      }
      for (const listener of stateListeners) listener();
    },
  });
  let first = true;
  let hiddenAt = 0;
  const follow = () => {
    if (session.state === "in") live.start();
    else if (session.state === "out") {
      live.stop();
      first = true;
    }
  };
  session.subscribe(follow);
  // gone or back, what was open may be dead; a platform on this very machine answers without a network
  for (const change of ["online", "offline"]) window.addEventListener(change, () => live.wake(true));
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) hiddenAt = Date.now();
    else live.wake(hiddenAt > 0 && Date.now() - hiddenAt > 60_000);
  });
  // a machine that slept: its timers stood still, and the socket is dead though it does not know yet
  let before = Date.now();
  setInterval(() => {
    if (Date.now() - before > 30_000) live.wake(true);
    before = Date.now();
  }, 10_000);
  follow();
  client = live;
  return live;
}

export function useLive(): { state: LiveState; knewAt: number | null } {
  const state = useSyncExternalStore(
    (listener) => {
      stateListeners.add(listener);
      return () => stateListeners.delete(listener);
    },
    () => client?.state ?? "off",
  );
  return { state, knewAt: client?.knewAt ?? null };
}

/** Slow polling, only while there is no socket. */
export function useFallbackInterval(): number | false {
  const { state } = useLive();
  return state === "reconnecting" ? 10_000 : false;
}

/** Hear of every event of the user. */
export function useLiveEvents(listener: Listener): void {
  useEffect(() => {
    eventListeners.add(listener);
    return () => {
      eventListeners.delete(listener);
    };
  }, [listener]);
}

/** The live lines of `version:<id>` or `job:<id>`, and when each came; empty lists when `topic` is null. */
export function useLiveLog(topic: string | null): Pick<LogStore, "lines" | "times"> {
  const [store, setStore] = useState(() => new LogStore());
  useEffect(() => {
    if (!topic || !client) return;
    const fresh = new LogStore((work) => requestAnimationFrame(work));
    setStore(fresh);
    return client.follow(topic, (frame) => fresh.take(frame));
  }, [topic]);
  useSyncExternalStore(store.subscribe, store.snapshot);
  return store;
}

import { type AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { LiveClient, type LiveState, type SocketLike } from "@/shared/live/client";
import { LogStore } from "@/shared/live/logs";
import type { EventFrame } from "@/shared/live/frames";

let server: WebSocketServer;
let live: LiveClient;
let events: EventFrame[];
let states: LiveState[];
let resets: number;
let asked: (string | null)[];
let received: Record<string, unknown>[];
let sockets: WebSocket[];
/** What the server says to each new connection. */
let greet: (socket: WebSocket, since: string | null) => void;

const say = (socket: WebSocket | undefined, frame: object) => socket?.send(JSON.stringify(frame));
const event = (seq: number, id = `e${seq}`) => ({ type: "event", seq, event: "job.running", id, time: "", data: { id: "j" } });
const until = (check: () => boolean) => vi.waitUntil(check, { timeout: 3000, interval: 5 });

beforeEach(async () => {
  [events, states, asked, received, sockets, resets] = [[], [], [], [], [], 0];
  greet = (socket) => say(socket, { type: "ready", seq: 10 });
  server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await new Promise((done) => server.once("listening", done));
  server.on("connection", (socket, request) => {
    const since = new URL(request.url ?? "", "http://x").searchParams.get("since");
    asked.push(since);
    sockets.push(socket);
    socket.on("message", (data) => received.push(JSON.parse(String(data))));
    greet(socket, since);
  });
  const { port } = server.address() as AddressInfo;
  live = new LiveClient({
    ticket: async () => "t",
    open: (ticket, since) => new WebSocket(`ws://127.0.0.1:${port}/?ticket=${ticket}${since === null ? "" : `&since=${since}`}`) as unknown as SocketLike,
    onEvent: (frame) => events.push(frame),
    onReset: () => (resets += 1),
    onState: (state) => states.push(state),
    random: () => 0,
  });
});

afterEach(async () => {
  live.stop();
  for (const socket of sockets) socket.terminate();
  await new Promise((done) => server.close(done));
});

it("comes back with the last seq; nothing is missing, nothing twice", async () => {
  live.start();
  await until(() => live.state === "live");
  say(sockets[0], event(11));
  say(sockets[0], event(12));
  await until(() => events.length === 2);
  greet = (socket) => {
    say(socket, { type: "ready", seq: 14 });
    // a server that repeats one, and an old emission under a new seq
    for (const frame of [event(12), event(13), event(14, "e11"), event(15)]) say(socket, frame);
  };
  sockets[0]?.terminate();
  await until(() => events.length === 4);
  expect(asked).toEqual([null, "12"]);
  expect(events.map((each) => each.seq)).toEqual([11, 12, 13, 15]);
  expect(states).toEqual(["connecting", "live", "reconnecting", "live"]);
});

it("asks again from the mark when the replay itself was cut", async () => {
  live.start();
  await until(() => live.state === "live");
  greet = (socket) => {
    say(socket, { type: "ready", seq: 50 });
    say(socket, event(11));
    socket.close();
  };
  sockets[0]?.terminate();
  await until(() => asked.length >= 3);
  expect(asked.slice(0, 3)).toEqual([null, "10", "11"]);
});

it("fetches afresh after a reset and goes on from there", async () => {
  live.start();
  await until(() => live.state === "live");
  greet = (socket) => {
    say(socket, { type: "ready", seq: 90 });
    say(socket, { type: "reset" });
  };
  sockets[0]?.terminate();
  await until(() => resets === 1);
  greet = (socket) => say(socket, { type: "ready", seq: 95 });
  sockets[1]?.terminate();
  await until(() => asked.length === 3);
  expect(asked[2]).toBe("90");
});

it("survives nonsense, a close for slowness and a wake", async () => {
  live.start();
  await until(() => live.state === "live");
  sockets[0]?.send("{nonsense");
  say(sockets[0], { type: "of tomorrow" });
  say(sockets[0], event(11));
  await until(() => events.length === 1);
  sockets[0]?.close(4408);
  await until(() => asked.length === 2 && live.state === "live");
  live.wake(true);
  await until(() => asked.length === 3 && live.state === "live");
  expect(asked[2]).toBe("11");
});

it("subscribes logs again where they stopped", async () => {
  live.start();
  await until(() => live.state === "live");
  const store = new LogStore((work) => work());
  const stop = live.follow("job:1", (frame) => store.take(frame));
  await until(() => received.length === 1);
  for (const seq of [3, 5, 4, 5]) say(sockets[0], { type: "log", topic: "job:1", seq, line: `line ${seq}` });
  await until(() => store.lines.length === 3);
  sockets[0]?.terminate();
  await until(() => received.length === 2);
  expect(received).toEqual([{ op: "subscribe", topic: "job:1" }, { op: "subscribe", topic: "job:1", since: 5 }]);
  expect(store.lines).toEqual(["line 3", "line 4", "line 5"]);
  stop();
  await until(() => received.length === 3);
  expect(received[2]).toEqual({ op: "unsubscribe", topic: "job:1" });
});

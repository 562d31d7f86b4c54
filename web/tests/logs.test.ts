import { expect, it } from "vitest";
import { LogStore, splitLog } from "@/shared/live/logs";
import { headings } from "@/features/models/phases";

it("knows when a line came, but not of those told again", () => {
  let now = 1_000;
  const store = new LogStore((work) => work(), () => now);
  store.take({ type: "log", topic: "t", seq: 1, line: "from before" });
  now = 5_000;
  store.take({ type: "log", topic: "t", seq: 2, line: "new" });
  expect([store.lines, store.times]).toEqual([["from before", "new"], [0, 5_000]]);
  store.take({ type: "reset" });
  store.take({ type: "log", topic: "t", seq: 9, line: "again" });
  expect([store.lines, store.times]).toEqual([["again"], [0]]);
});

it("splits a stored log and counts the steps it heads", () => {
  expect(splitLog("a\n\nb\n")).toEqual(["a", "", "b"]);
  expect(splitLog("")).toEqual([]);
  expect(headings(["== Fetching the package", "text == x", "== Checking the package"])).toBe(2);
});

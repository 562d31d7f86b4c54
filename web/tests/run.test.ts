import { expect, it } from "vitest";
import { parseParams } from "@/features/run/components/images";
import { begun, fingerprint } from "@/features/models/upload";
import { pictures } from "@/shared/viewer/bitmaps";

it("takes a JSON object as parameters and nothing else", () => {
  expect([parseParams(" "), parseParams('{"a": 1}'), parseParams("[1]"), parseParams("{a}"), parseParams("null")]).toEqual([null, { a: 1 }, undefined, undefined, undefined]);
});

it("shows the output that says most first, and only raster images", () => {
  const outputs = [
    { name: "labels.png", content_type: "image/png", size: 900 },
    { name: "page.svg", content_type: "image/svg+xml", size: 90_000 },
    { name: "drawn.png", content_type: "image/png", size: 50_000 },
  ];
  expect(pictures(outputs).map((each) => each.name)).toEqual(["drawn.png", "labels.png"]);
});

it("tells packages apart by their ends, without reading what lies between", async () => {
  const bytes = new Uint8Array(2_000_000).fill(7);
  const same = await fingerprint(new Blob([bytes]));
  expect(await fingerprint(new Blob([bytes]))).toBe(same);
  const other = bytes.slice();
  other[other.length - 5] = 8;
  expect(await fingerprint(new Blob([other]))).not.toBe(same);
  expect(await fingerprint(new Blob([bytes.subarray(1)]))).not.toBe(same);
  // no storage here, as in a browser's private mode: nothing is known, and nothing breaks
  begun.keep("v", same);
  expect(begun.of("v")).toBeNull();
});

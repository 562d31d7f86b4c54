import { expect, it } from "vitest";
import { classesOf, overlays } from "@/shared/lib/overlays";

it("reads parallel lists", () => {
  expect(overlays({ boxes: [[10, 20, 30, 60]], labels: ["cat"], scores: [0.9] }, 100, 100)).toEqual([
    { kind: "box", x: 10, y: 20, w: 20, h: 40, label: "cat", score: 0.9 },
  ]);
});

it("reads detections in the common forms", () => {
  const shapes = overlays(
    {
      detections: [
        { bbox: { x1: 1, y1: 2, x2: 11, y2: 12 }, class: "a", confidence: 0.5 },
        { box: { x: 5, y: 5, width: 10, height: 20 }, label: "b" },
        { xmin: 0, ymin: 0, xmax: 4, ymax: 4, name: "c" },
        { bbox: [50, 50, 20, 10], bbox_format: "cxcywh", class_id: 3 },
      ],
    },
    100,
    100,
  );
  expect(shapes).toMatchObject([
    { x: 1, y: 2, w: 10, h: 10, label: "a", score: 0.5 },
    { x: 5, y: 5, w: 10, h: 20, label: "b", score: null },
    { x: 0, w: 4, label: "c" },
    { x: 40, y: 45, w: 20, h: 10, label: "class 3" },
  ]);
});

it("scales parts of the sides to pixels", () => {
  expect(overlays({ boxes: [[0.1, 0.2, 0.3, 0.4]] }, 200, 100)[0]).toMatchObject({ x: 20, y: 20 });
});

it("reads polygons, mask files and keypoints", () => {
  const shapes = overlays(
    { masks: [[[0, 0], [10, 0], [10, 10]], "mask.png"], labels: ["cell", "tumour"], keypoints: [{ x: 3, y: 4, name: "nose" }, [5, 60]] },
    100,
    100,
  );
  expect(shapes.map((shape) => [shape.kind, shape.label])).toEqual([["polygon", "cell"], ["mask", "tumour"], ["point", "nose"], ["point", "cell"]]);
  expect(overlays({ keypoints: [[10, 20, 2, 30, 40, 2, 0, 0, 0]] }, 100, 100)).toHaveLength(2);
});

it("leaves out what it does not understand", () => {
  for (const odd of [null, 3, "x", [1], { boxes: "no" }, { boxes: [[9, 9, 1, 1]] }, { boxes: [["a", 1, 2, 3]] }, { masks: 5 }, { detections: [null, 1, {}] }]) {
    expect(overlays(odd as never, 10, 10)).toEqual([]);
  }
});

it("gives each class a colour and counts", () => {
  const classes = classesOf(overlays({ boxes: [[0, 0, 5, 5], [1, 1, 9, 9]], labels: ["a", "a"] }, 10, 10));
  expect(classes.get("a")?.count).toBe(2);
});

import type { Json } from "@/shared/api/types";

/**
 * Boxes, points and masks from a model's metadata, under the names people use (docs/web.md). Everything comes out in
 * pixels of the input; what cannot be understood is left out, never guessed into a wrong place.
 */
export interface Box { kind: "box"; x: number; y: number; w: number; h: number; label: string; score: number | null }
export interface Point { kind: "point"; x: number; y: number; label: string; score: number | null; group: number }
export interface Polygon { kind: "polygon"; points: [number, number][]; label: string; score: number | null }
export interface MaskFile { kind: "mask"; file: string; label: string; score: number | null }
export type Shape = Box | Point | Polygon | MaskFile;

type Dict = Record<string, Json>;
const isDict = (value: Json | undefined): value is Dict => typeof value === "object" && value !== null && !Array.isArray(value);
const isNumber = (value: Json | undefined): value is number => typeof value === "number" && Number.isFinite(value);
const numbers = (value: Json | undefined): number[] | null =>
  Array.isArray(value) && value.every((each) => isNumber(each)) ? (value as number[]) : null;
const MAX_SHAPES = 5_000;

const LABELS = ["label", "class", "class_name", "category", "name"];
const SCORES = ["score", "confidence", "probability", "conf"];

function first(dict: Dict, names: string[]): Json | undefined {
  for (const name of names) if (dict[name] !== undefined && dict[name] !== null) return dict[name];
  return undefined;
}

const labelOf = (value: Json | undefined): string => (typeof value === "string" ? value : isNumber(value) ? `class ${value}` : "object");

type Format = "xyxy" | "xywh" | "cxcywh";

function formatOf(result: Dict): Format {
  const named = String(first(result, ["box_format", "bbox_format", "boxes_format"]) ?? "").toLowerCase();
  return named === "xywh" || named === "coco" ? "xywh" : named === "cxcywh" || named === "yolo" ? "cxcywh" : "xyxy";
}

function rectangle(values: number[], format: Format): [number, number, number, number] | null {
  const [a, b, c, d] = values;
  if (a === undefined || b === undefined || c === undefined || d === undefined) return null;
  if (format === "xywh") return [a, b, c, d];
  if (format === "cxcywh") return [a - c / 2, b - d / 2, c, d];
  return c >= a && d >= b ? [a, b, c - a, d - b] : null;
}

/** A box as a list or as an object: x1,y1,x2,y2 | xmin… | left,top,right,bottom | x,y,width,height. */
function rectangleOf(value: Json | undefined, format: Format): [number, number, number, number] | null {
  const list = numbers(value);
  if (list) return list.length >= 4 ? rectangle(list, format) : null;
  if (!isDict(value)) return null;
  for (const names of [["x1", "y1", "x2", "y2"], ["xmin", "ymin", "xmax", "ymax"], ["left", "top", "right", "bottom"]]) {
    const corners = names.map((name) => value[name]);
    if (corners.every(isNumber)) return rectangle(corners as number[], "xyxy");
  }
  const sides = [value.x ?? value.left, value.y ?? value.top, value.width ?? value.w, value.height ?? value.h];
  return sides.every(isNumber) ? (sides as [number, number, number, number]) : null;
}

function polygons(value: Json | undefined): [number, number][][] {
  if (!Array.isArray(value) || !value.length) return [];
  const flat = numbers(value);
  if (flat) {
    if (flat.length < 6 || flat.length % 2) return [];
    return [Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] as number, flat[2 * i + 1] as number])];
  }
  const pairs = value.map(pointOf);
  if (pairs.length >= 3 && pairs.every((pair) => pair !== null)) return [pairs as [number, number][]];
  return value.flatMap((each) => (Array.isArray(each) && !pointOf(each) ? polygons(each) : []));
}

function pointOf(value: Json | undefined): [number, number] | null {
  const list = numbers(value);
  if (list) return list.length === 2 || list.length === 3 ? [list[0] as number, list[1] as number] : null;
  return isDict(value) && isNumber(value.x) && isNumber(value.y) ? [value.x, value.y] : null;
}

function masksOf(value: Json | undefined, label: string, score: number | null): Shape[] {
  if (typeof value === "string") return [{ kind: "mask", file: value, label, score }];
  if (isDict(value)) {
    const inner = first(value, ["polygon", "polygons", "points", "segmentation", "file", "path"]);
    return inner === undefined ? [] : masksOf(inner, label, score);
  }
  return polygons(value).map((points) => ({ kind: "polygon", points, label, score }));
}

function keypoints(value: Json | undefined, label: string, score: number | null, group: number): Shape[] {
  const flat = numbers(value);
  // COCO: x, y, visibility in one flat list
  const list: Json[] = flat && flat.length > 3 && flat.length % 3 === 0
    ? Array.from({ length: flat.length / 3 }, (_, i) => flat.slice(3 * i, 3 * i + 3))
    : flat && flat.length > 3 && flat.length % 2 === 0
      ? Array.from({ length: flat.length / 2 }, (_, i) => flat.slice(2 * i, 2 * i + 2))
      : Array.isArray(value) ? value : [];
  return list.flatMap((each) => {
    const at = pointOf(each);
    if (!at || (at[0] === 0 && at[1] === 0 && flat)) return [];
    const named = isDict(each) ? first(each, LABELS) : undefined;
    return [{ kind: "point" as const, x: at[0], y: at[1], label: named === undefined ? label : labelOf(named), score, group }];
  });
}

function detection(item: Json, format: Format, group: number): Shape[] {
  if (!isDict(item)) {
    // [x1, y1, x2, y2, score?, class?]
    const list = numbers(item);
    const box = list && rectangle(list, format);
    if (!box || !list) return [];
    const [x, y, w, h] = box;
    return [{ kind: "box", x, y, w, h, label: list[5] === undefined ? "object" : `class ${list[5]}`, score: list[4] ?? null }];
  }
  const label = labelOf(first(item, [...LABELS, "class_id", "category_id"]));
  const found = first(item, SCORES);
  const score = isNumber(found) ? found : null;
  const own = item.box_format || item.bbox_format ? formatOf(item) : format;
  const box = rectangleOf(first(item, ["box", "bbox", "bounding_box", "xyxy"]) ?? (item.xywh ? undefined : item), own)
    ?? rectangleOf(item.xywh, "xywh");
  const shapes: Shape[] = [];
  if (box) shapes.push({ kind: "box", x: box[0], y: box[1], w: box[2], h: box[3], label, score });
  shapes.push(...masksOf(first(item, ["mask", "masks", "segmentation", "polygon", "polygons"]), label, score));
  shapes.push(...keypoints(first(item, ["keypoints", "landmarks"]), label, score, group));
  return shapes;
}

function at(list: Json | undefined, i: number): Json | undefined {
  return Array.isArray(list) ? list[i] : undefined;
}

function collect(result: Dict): Shape[] {
  const shapes: Shape[] = [];
  const format = formatOf(result);
  const names = first(result, ["labels", "classes", "class_names"]);
  const scores = first(result, ["scores", "confidences", "probabilities"]);
  const label = (i: number) => labelOf(at(names, i));
  const score = (i: number) => {
    const value = at(scores, i);
    return isNumber(value) ? value : null;
  };
  for (const key of ["detections", "predictions", "objects", "instances"]) {
    const list = result[key];
    if (Array.isArray(list)) list.forEach((item, i) => shapes.push(...detection(item, format, i)));
  }
  const boxes = first(result, ["boxes", "bboxes", "bounding_boxes"]);
  if (Array.isArray(boxes)) {
    boxes.forEach((item, i) => {
      for (const shape of detection(item, format, i)) {
        const named = shape.label === "object" && at(names, i) !== undefined;
        shapes.push({ ...shape, label: named ? label(i) : shape.label, score: shape.score ?? score(i) });
      }
    });
  }
  const masks = first(result, ["masks", "mask", "segments", "segmentation", "polygons"]);
  if (typeof masks === "string" || isDict(masks)) shapes.push(...masksOf(masks, label(0), score(0)));
  else if (Array.isArray(masks)) {
    if (polygons(masks).length && (numbers(masks) || masks.every((each) => pointOf(each)))) shapes.push(...masksOf(masks, label(0), score(0)));
    else masks.forEach((item, i) => {
      const own = isDict(item) ? first(item, LABELS) : undefined;
      shapes.push(...masksOf(item, own === undefined ? label(i) : labelOf(own), score(i)));
    });
  }
  const points = first(result, ["keypoints", "landmarks", "points"]);
  if (Array.isArray(points)) {
    const people = points.length > 0 && points.every((each) => Array.isArray(each) && !pointOf(each));
    if (people) points.forEach((each, i) => shapes.push(...keypoints(each, label(i), score(i), i)));
    else shapes.push(...keypoints(points, at(names, 0) === undefined ? "point" : label(0), null, 0));
  }
  return shapes.slice(0, MAX_SHAPES);
}

/** Do all coordinates lie within 0 to 1? Then they are parts of the image's sides. */
function areParts(shapes: Shape[]): boolean {
  let any = false;
  for (const shape of shapes) {
    if (shape.kind === "mask") continue;
    any = true;
    const values = shape.kind === "box" ? [shape.x, shape.y, shape.x + shape.w, shape.y + shape.h] : shape.kind === "point" ? [shape.x, shape.y] : shape.points.flat();
    if (values.some((value) => value < -0.01 || value > 1.01)) return false;
  }
  return any;
}

export function overlays(result: Json | null | undefined, width: number, height: number): Shape[] {
  if (!isDict(result ?? undefined)) return [];
  const shapes = collect(result as Dict);
  if (!areParts(shapes)) return shapes;
  return shapes.map((shape) => {
    if (shape.kind === "box") return { ...shape, x: shape.x * width, y: shape.y * height, w: shape.w * width, h: shape.h * height };
    if (shape.kind === "point") return { ...shape, x: shape.x * width, y: shape.y * height };
    if (shape.kind === "polygon") return { ...shape, points: shape.points.map(([x, y]) => [x * width, y * height]) };
    return shape;
  });
}

// told apart by most colour-blind readers, and visible on light and dark images
export const CLASS_COLOURS = ["#35d0c0", "#ffb020", "#ff6b81", "#7aa8ff", "#b6e05a", "#d08bff", "#ff8f4d", "#5bd6ff"];

export function classesOf(shapes: Shape[]): Map<string, { colour: string; count: number }> {
  const classes = new Map<string, { colour: string; count: number }>();
  for (const { label } of shapes) {
    const known = classes.get(label);
    if (known) known.count += 1;
    else classes.set(label, { colour: CLASS_COLOURS[classes.size % CLASS_COLOURS.length] as string, count: 1 });
  }
  return classes;
}

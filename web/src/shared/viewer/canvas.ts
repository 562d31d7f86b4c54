import type { Shape } from "@/shared/lib/overlays";
import type { Picture } from "./bitmaps";

export interface Camera {
  /** Screen pixels per image pixel, and where the image's corner is, in CSS pixels. */
  zoom: number;
  x: number;
  y: number;
}

export interface Scene {
  before: Picture | null;
  after: Picture | null;
  /** 0 shows only the output, 1 only the input. */
  split: number;
  shapes: Shape[];
  colours: Map<string, string>;
  masks: Map<string, ImageBitmap>;
}

export function sizeOf(scene: Pick<Scene, "before" | "after">): [number, number] {
  const base = scene.before ?? scene.after;
  return base ? [base.width, base.height] : [1, 1];
}

export function fit(width: number, height: number, image: [number, number]): Camera {
  const zoom = Math.min(width / image[0], height / image[1], 8) * (width > 500 ? 0.96 : 1);
  return { zoom, x: (width - image[0] * zoom) / 2, y: (height - image[1] * zoom) / 2 };
}

/** Zoom by `factor` and keep the image's point under (x, y) where it is. */
export function zoomAt(camera: Camera, factor: number, x: number, y: number): Camera {
  const zoom = Math.min(64, Math.max(0.01, camera.zoom * factor));
  const scale = zoom / camera.zoom;
  return { zoom, x: x - (x - camera.x) * scale, y: y - (y - camera.y) * scale };
}

export function draw(canvas: HTMLCanvasElement, scene: Scene, camera: Camera): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  const ratio = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.imageSmoothingEnabled = camera.zoom < 4;
  context.imageSmoothingQuality = "high";
  const [w, h] = sizeOf(scene);
  checker(context, camera, w, h);
  const cut = scene.before && scene.after ? scene.split * width : scene.before ? width : 0;
  const { before, after } = scene;
  if (after) clipped(context, cut, width, height, () => image(context, after.bitmap, camera, w, h));
  if (before) clipped(context, 0, cut, height, () => image(context, before.bitmap, camera, w, h));
  context.save();
  for (const shape of scene.shapes) paint(context, shape, scene, camera, w, h);
  context.restore();
}

function checker(context: CanvasRenderingContext2D, camera: Camera, w: number, h: number): void {
  const style = getComputedStyle(document.documentElement);
  const [x, y, wide, high] = [camera.x, camera.y, w * camera.zoom, h * camera.zoom];
  context.save();
  context.beginPath();
  // a pixel less than the image, whose edge may fall between two pixels
  context.rect(x + 1, y + 1, wide - 2, high - 2);
  context.clip();
  context.fillStyle = style.getPropertyValue("--check-a");
  context.fillRect(x, y, wide, high);
  context.fillStyle = style.getPropertyValue("--check-b");
  const box = 8;
  const [left, top] = [Math.max(0, x), Math.max(0, y)];
  const [right, bottom] = [Math.min(context.canvas.clientWidth, x + wide), Math.min(context.canvas.clientHeight, y + high)];
  for (let row = Math.floor(top / box); row * box < bottom; row += 1) {
    for (let column = Math.floor(left / box); column * box < right; column += 1) {
      if ((row + column) % 2) context.fillRect(column * box, row * box, box, box);
    }
  }
  context.restore();
}

function clipped(context: CanvasRenderingContext2D, from: number, to: number, height: number, work: () => void): void {
  if (to <= from) return;
  context.save();
  context.beginPath();
  context.rect(from, 0, to - from, height);
  context.clip();
  work();
  context.restore();
}

/** The output is laid over the input's frame: a model may answer in another resolution. */
function image(context: CanvasRenderingContext2D, bitmap: ImageBitmap, camera: Camera, w: number, h: number): void {
  context.drawImage(bitmap, camera.x, camera.y, w * camera.zoom, h * camera.zoom);
}

function paint(context: CanvasRenderingContext2D, shape: Shape, scene: Scene, camera: Camera, w: number, h: number): void {
  const colour = scene.colours.get(shape.label) ?? "#35d0c0";
  const x = (value: number) => camera.x + value * camera.zoom;
  const y = (value: number) => camera.y + value * camera.zoom;
  context.strokeStyle = colour;
  context.fillStyle = colour;
  context.lineWidth = 2;
  context.globalAlpha = 1;
  if (shape.kind === "box") {
    context.strokeRect(x(shape.x), y(shape.y), shape.w * camera.zoom, shape.h * camera.zoom);
    tag(context, `${shape.label}${shape.score === null ? "" : ` ${shape.score.toFixed(2)}`}`, x(shape.x), y(shape.y), colour);
  } else if (shape.kind === "point") {
    context.beginPath();
    context.arc(x(shape.x), y(shape.y), 4, 0, 2 * Math.PI);
    context.fill();
    context.strokeStyle = "rgb(0 0 0 / 0.7)";
    context.lineWidth = 1;
    context.stroke();
  } else if (shape.kind === "polygon") {
    context.beginPath();
    shape.points.forEach(([px, py], i) => (i ? context.lineTo(x(px), y(py)) : context.moveTo(x(px), y(py))));
    context.closePath();
    context.globalAlpha = 0.32;
    context.fill();
    context.globalAlpha = 1;
    context.stroke();
  } else {
    const mask = scene.masks.get(shape.file);
    if (!mask) return;
    context.globalAlpha = 0.45;
    context.drawImage(mask, camera.x, camera.y, w * camera.zoom, h * camera.zoom);
  }
}

function tag(context: CanvasRenderingContext2D, words: string, x: number, y: number, colour: string): void {
  context.font = "500 11px 'Inter Variable', sans-serif";
  const width = context.measureText(words).width + 8;
  const top = y > 16 ? y - 16 : y;
  context.fillStyle = colour;
  context.fillRect(x - 1, top, width, 16);
  context.fillStyle = "#08110f";
  context.fillText(words, x + 3, top + 12);
}

/** A mask file as a coloured layer: what is dark or transparent is nothing. */
export async function tint(bitmap: ImageBitmap, colour: string): Promise<ImageBitmap> {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) return bitmap;
  context.drawImage(bitmap, 0, 0);
  const pixels = context.getImageData(0, 0, bitmap.width, bitmap.height);
  const [r, g, b] = [1, 3, 5].map((i) => Number.parseInt(colour.slice(i, i + 2), 16)) as [number, number, number];
  for (let i = 0; i < pixels.data.length; i += 4) {
    const value = Math.max(pixels.data[i] ?? 0, pixels.data[i + 1] ?? 0, pixels.data[i + 2] ?? 0) * ((pixels.data[i + 3] ?? 0) / 255);
    pixels.data.set([r, g, b, value > 0 && value < 16 ? 255 : value], i);
  }
  context.putImageData(pixels, 0, 0);
  return createImageBitmap(canvas);
}

import { ChevronLeft, ChevronRight, Maximize, Minus, Plus } from "lucide-react";
import { type KeyboardEvent, type PointerEvent, useEffect, useMemo, useRef, useState } from "react";
import type { Json, Output } from "@/shared/api/types";
import { fetchBlob } from "@/shared/lib/blobs";
import { classesOf, overlays } from "@/shared/lib/overlays";
import { useTheme } from "@/shared/lib/theme";
import { text } from "@/shared/text";
import { Button, IconButton } from "@/shared/ui/button";
import { useBitmap } from "./bitmaps";
import { type Camera, draw, fit, sizeOf, tint, zoomAt } from "./canvas";

const words = text.run.viewer;

interface Props {
  before: Blob | string | null | undefined;
  after: Output | null;
  outputs: Output[];
  result: Json | null;
  /** Step to another output, or to another job's. */
  onStep?: (by: number) => void;
  /** Get fresh addresses: those of storage are signed for a while only. */
  onReload?: () => Promise<unknown>;
}

/** Input and output on one canvas: divider, zoom, pan, overlays. */
export function Viewer({ before, after, outputs, result, onStep, onReload }: Props) {
  const [attempt, setAttempt] = useState(0);
  const [asStored, setAsStored] = useState(false);
  const input = useBitmap(before, { asStored, attempt });
  const output = useBitmap(after?.url, { attempt });
  const canvas = useRef<HTMLCanvasElement>(null);
  // the checkerboard is drawn in the colours of the theme: another one draws again
  useTheme();
  const [split, setSplit] = useState(0.5);
  const [camera, setCamera] = useState<Camera | null>(null);
  const [size, setSize] = useState<[number, number]>([0, 0]);
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [least, setLeast] = useState(0);
  const pointers = useRef(new Map<number, { x: number; y: number }>());

  const image = sizeOf({ before: input.picture, after: output.picture });
  const shapes = useMemo(() => overlays(result, image[0], image[1]), [result, image[0], image[1]]); // eslint-disable-line react-hooks/exhaustive-deps
  const classes = useMemo(() => classesOf(shapes), [shapes]);
  const scored = shapes.some((shape) => shape.score !== null);
  const shown = useMemo(
    () => shapes.filter((shape) => !hidden.has(shape.label) && (shape.score === null || shape.score >= least)),
    [shapes, hidden, least],
  );
  const colours = useMemo(() => new Map([...classes].map(([label, { colour }]) => [label, colour])), [classes]);
  const masks = useMasks(shapes, outputs, colours);
  const view = camera ?? fit(size[0], size[1], image);
  const both = Boolean(input.picture && output.picture);

  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setSize([element.clientWidth, element.clientHeight]));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    // a model that reads a phone's photo as it is stored answers lying on its side: then so does the input
    const [was, is] = [input.picture, output.picture];
    if (was && is && was.width !== was.height && was.width === is.height && was.height === is.width) setAsStored(true);
  }, [input.picture, output.picture]);
  useEffect(() => setCamera(null), [image[0], image[1]]); // eslint-disable-line react-hooks/exhaustive-deps
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const frame = requestAnimationFrame(() =>
      draw(element, { before: input.picture, after: output.picture, split, shapes: shown, colours, masks }, view),
    );
    return () => cancelAnimationFrame(frame);
  });
  // React listens to wheel passively, and a page that scrolls under the image is no zoom
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const onWheel = (event: WheelEvent) => {
      event.preventDefault();
      const box = element.getBoundingClientRect();
      setCamera((old) => zoomAt(old ?? fit(box.width, box.height, image), Math.exp(-event.deltaY * 0.0015), event.clientX - box.left, event.clientY - box.top));
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  }, [image[0], image[1]]); // eslint-disable-line react-hooks/exhaustive-deps

  const zoom = (factor: number) => setCamera(zoomAt(view, factor, size[0] / 2, size[1] / 2));
  const onMove = (event: PointerEvent) => {
    const known = pointers.current.get(event.pointerId);
    if (!known) return;
    const now = { x: event.clientX, y: event.clientY };
    const other = [...pointers.current].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const box = event.currentTarget.getBoundingClientRect();
      const factor = Math.hypot(now.x - other.x, now.y - other.y) / Math.max(1, Math.hypot(known.x - other.x, known.y - other.y));
      setCamera(zoomAt(view, factor, (now.x + other.x) / 2 - box.left, (now.y + other.y) / 2 - box.top));
    } else setCamera({ ...view, x: view.x + now.x - known.x, y: view.y + now.y - known.y });
    pointers.current.set(event.pointerId, now);
  };
  const release = (event: PointerEvent) => pointers.current.delete(event.pointerId);
  const onKey = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget) return;
    if (event.key === " ") setSplit((old) => (old > 0.5 ? 0 : 1));
    else if (event.key === "+" || event.key === "=") zoom(1.25);
    else if (event.key === "-") zoom(0.8);
    else if (event.key === "0") setCamera(null);
    else if (event.key === "ArrowRight" && onStep) onStep(1);
    else if (event.key === "ArrowLeft" && onStep) onStep(-1);
    else return;
    event.preventDefault();
  };
  return (
    <section aria-label={words.label} className="card overflow-hidden">
      <div className="relative h-[min(62dvh,34rem)] bg-stage max-md:aspect-square max-md:h-auto">
        {/* eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- an application takes the keyboard */}
        <div
          role="application"
          aria-label={`${words.label}. ${words.keys}`}
          // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- an application takes the keyboard
          tabIndex={0}
          onKeyDown={onKey}
          className="absolute inset-0 focus-visible:outline-offset-[-2px]"
        >
          <canvas
            ref={canvas}
            className="size-full cursor-grab touch-none active:cursor-grabbing"
            onPointerDown={(event) => {
              event.currentTarget.setPointerCapture(event.pointerId);
              pointers.current.set(event.pointerId, { x: event.clientX, y: event.clientY });
            }}
            onPointerMove={onMove}
            onPointerUp={release}
            onPointerCancel={release}
            onDoubleClick={() => setCamera(null)}
          />
        </div>
        {both && (
          <>
            <Divider split={split} width={size[0]} onChange={setSplit} />
            {split > 0.08 && <Label side="left">{words.input}</Label>}
            {split < 0.92 && <Label side="right">{words.output}</Label>}
          </>
        )}
        {(output.failed || input.failed) && (
          <div role="alert" className="absolute inset-x-4 top-4 flex items-center justify-between gap-3 rounded bg-raised px-3 py-2 text-sm">
            {words.loadFailed}
            {onReload && (
              <Button size="sm" onClick={() => void onReload().then(() => setAttempt((old) => old + 1))}>
                {text.common.tryAgain}
              </Button>
            )}
          </div>
        )}
      </div>
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2 border-t border-line px-3 py-2">
        <div className="flex items-center">
          <IconButton label={words.zoomOut} onClick={() => zoom(0.8)}>
            <Minus size={16} aria-hidden />
          </IconButton>
          <span className="w-14 text-center text-sm text-muted tnum">{size[0] ? `${Math.round(view.zoom * 100)} %` : ""}</span>
          <IconButton label={words.zoomIn} onClick={() => zoom(1.25)}>
            <Plus size={16} aria-hidden />
          </IconButton>
          <IconButton label={words.fit} onClick={() => setCamera(null)}>
            <Maximize size={15} aria-hidden />
          </IconButton>
        </div>
        {both && (
          <div role="group" aria-label={words.compare} className="flex rounded border border-line p-0.5">
            {([[1, words.input], [0.5, words.compare], [0, words.output]] as const).map(([value, label]) => (
              <button
                key={label}
                type="button"
                aria-pressed={value === 0.5 ? split > 0 && split < 1 : split === value}
                onClick={() => setSplit(value)}
                className="rounded-md px-2.5 py-1 text-sm font-medium text-muted aria-pressed:bg-accent-soft aria-pressed:text-accent max-md:py-2"
              >
                {label}
              </button>
            ))}
          </div>
        )}
        {onStep && (
          <div className="ml-auto flex items-center">
            <IconButton label={words.previous} onClick={() => onStep(-1)}>
              <ChevronLeft size={17} aria-hidden />
            </IconButton>
            <IconButton label={words.next} onClick={() => onStep(1)}>
              <ChevronRight size={17} aria-hidden />
            </IconButton>
          </div>
        )}
      </div>
      {classes.size > 0 && (
        <div role="group" aria-label={words.overlays} className="flex flex-wrap items-center gap-2 border-t border-line px-3 py-2">
          {[...classes].slice(0, 24).map(([label, { colour, count }]) => (
            <button
              key={label}
              type="button"
              aria-pressed={!hidden.has(label)}
              title={words.toggle(label)}
              onClick={() => {
                const next = new Set(hidden);
                if (!next.delete(label)) next.add(label);
                setHidden(next);
              }}
              className="inline-flex h-7 items-center gap-1.5 rounded-full border border-line px-2.5 text-xs font-medium aria-[pressed=false]:text-muted aria-[pressed=false]:line-through max-md:h-9"
            >
              <span className="size-2.5 rounded-full" style={{ background: hidden.has(label) ? "transparent" : colour, border: `1px solid ${colour}` }} />
              {label}
              <span className="text-muted tnum">{count}</span>
            </button>
          ))}
          {scored && (
            <label className="ml-auto flex items-center gap-2 text-xs text-muted tnum">
              {words.threshold(least.toFixed(2))}
              <input type="range" min={0} max={1} step={0.01} value={least} onChange={(event) => setLeast(Number(event.target.value))} className="w-28 accent-accent" />
            </label>
          )}
        </div>
      )}
    </section>
  );
}

function Label({ side, children }: { side: "left" | "right"; children: string }) {
  return (
    <span className={`pointer-events-none absolute top-3 rounded bg-black/65 px-2 py-0.5 text-xs font-medium text-white ${side === "left" ? "left-3" : "right-3"}`}>
      {children}
    </span>
  );
}

function Divider({ split, width, onChange }: { split: number; width: number; onChange: (split: number) => void }) {
  const dragging = useRef(false);
  const move = (event: PointerEvent) => {
    const box = event.currentTarget.parentElement?.getBoundingClientRect();
    if (dragging.current && box) onChange(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)));
  };
  const onKey = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    onChange(Math.min(1, Math.max(0, split + by)));
  };
  return (
    <div
      role="slider"
      tabIndex={0}
      aria-label={words.divider}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(split * 100)}
      onKeyDown={onKey}
      onPointerDown={(event) => {
        dragging.current = true;
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={move}
      onPointerUp={() => {
        dragging.current = false;
      }}
      className="absolute inset-y-0 w-8 -translate-x-1/2 cursor-ew-resize touch-none"
      style={{ left: Math.min(Math.max(split * width, 1), Math.max(width - 1, 1)) }}
    >
      <span className="absolute inset-y-0 left-1/2 w-0.5 -translate-x-1/2 bg-white shadow-[0_0_0_1px_rgb(0_0_0/0.35)]" />
      <span className="absolute top-1/2 left-1/2 grid size-8 -translate-1/2 grid-flow-col place-content-center place-items-center rounded-full bg-white text-black shadow-[0_1px_6px_rgb(0_0_0/0.4)]">
        <ChevronLeft size={14} className="-mr-0.5" aria-hidden />
        <ChevronRight size={14} className="-ml-0.5" aria-hidden />
      </span>
    </div>
  );
}

function useMasks(shapes: ReturnType<typeof overlays>, outputs: Output[], colours: Map<string, string>): Map<string, ImageBitmap> {
  const [masks, setMasks] = useState(new Map<string, ImageBitmap>());
  const wanted = shapes.flatMap((shape) => (shape.kind === "mask" ? [[shape.file, shape.label] as const] : []));
  const key = wanted.map(([file]) => file).join("\n");
  useEffect(() => {
    const abort = new AbortController();
    const load = async () => {
      const found = new Map<string, ImageBitmap>();
      for (const [file, label] of wanted.slice(0, 32)) {
        const output = outputs.find((each) => each.name === file || each.name.endsWith(`/${file}`));
        if (!output) continue;
        const bitmap = await createImageBitmap(await fetchBlob(output.url, abort.signal));
        found.set(file, await tint(bitmap, colours.get(label) ?? "#35d0c0"));
        bitmap.close();
      }
      if (!abort.signal.aborted) setMasks(found);
    };
    if (key) load().catch(() => undefined);
    else setMasks((old) => (old.size ? new Map() : old));
    return () => abort.abort();
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `key` stands for `wanted`
  }, [key, outputs]);
  return masks;
}

import { Play, X } from "lucide-react";
import { useCallback, useEffect, useRef, useState } from "react";
import type { Json } from "@/shared/api/types";
import { bytes } from "@/shared/lib/format";
import { text } from "@/shared/text";
import { Button } from "@/shared/ui/button";
import { TextArea } from "@/shared/ui/field";
import type { Item, Run } from "../items";
import { sampleImage } from "../sample";
import { Dropzone } from "./dropzone";

const MAX_BYTES = 100 * 1024 ** 2;

interface Props {
  run: Run;
  modelName: string;
  version: string;
  ready: boolean;
  onBack: () => void;
  onStart: (params: Record<string, Json> | null) => void;
}

/** undefined: what was typed is no JSON object. */
export function parseParams(raw: string): Record<string, Json> | null | undefined {
  if (!raw.trim()) return null;
  try {
    const value: unknown = JSON.parse(raw);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, Json>) : undefined;
  } catch {
    return undefined;
  }
}

export function ChooseImages({ run, modelName, version, ready, onBack, onStart }: Props) {
  const [notes, setNotes] = useState<string[]>([]);
  const [params, setParams] = useState("");
  const parsed = parseParams(params);
  const { items, remove, add: take } = run;
  const add = useCallback(
    (files: Iterable<File>) => {
      const fresh = [...files];
      setNotes(fresh.filter((file) => file.size > MAX_BYTES).map((file) => text.run.tooLarge(file.name)));
      take(fresh.filter((file) => file.size <= MAX_BYTES));
    },
    [take],
  );
  useEffect(() => {
    const onPaste = (event: ClipboardEvent) => {
      if (event.clipboardData?.files.length) add(event.clipboardData.files);
    };
    window.addEventListener("paste", onPaste);
    return () => window.removeEventListener("paste", onPaste);
  }, [add]);
  const submit = useRef<HTMLButtonElement>(null);
  const any = items.length > 0;
  useEffect(() => {
    // the button that was pressed may be gone with the first image: what comes next has the focus
    if (any && ready) submit.current?.focus({ preventScroll: true });
  }, [any, ready]);
  return (
    <form
      className="grid max-w-3xl gap-5"
      onSubmit={(event) => {
        event.preventDefault();
        if (items.length && ready && parsed !== undefined) onStart(parsed);
      }}
    >
      <div className="flex flex-wrap items-center gap-3">
        <p className="font-medium">
          {modelName} <code className="text-sm">{version}</code>
        </p>
        <Button size="sm" kind="ghost" onClick={onBack}>
          {text.run.back}
        </Button>
      </div>
      <Dropzone onFiles={add} />
      {notes.map((note) => (
        <p key={note} role="alert" className="text-sm text-bad">
          {note}
        </p>
      ))}
      {any && <Chosen items={items} onRemove={remove} />}
      <details className="text-sm">
        <summary className="w-fit rounded font-medium">{text.run.params}</summary>
        <div className="mt-2">
          <TextArea
            label={text.run.params}
            hint={text.run.paramsHint}
            error={parsed === undefined ? text.run.paramsBad : null}
            className="font-mono"
            placeholder='{"threshold": 0.5}'
            value={params}
            onChange={(event) => setParams(event.target.value)}
          />
        </div>
      </details>
      <div className="flex flex-wrap gap-2">
        <Button ref={submit} type="submit" kind="primary" icon={<Play size={15} aria-hidden />} disabled={!items.length || !ready || parsed === undefined}>
          {items.length > 1 ? text.run.runMany(items.length) : text.run.run}
        </Button>
        {!any && <Button onClick={() => void sampleImage().then((file) => add([file]))}>{text.run.sample}</Button>}
      </div>
    </form>
  );
}

function Chosen({ items, onRemove }: { items: Item[]; onRemove: (key: number) => void }) {
  return (
    <div className="grid gap-2">
      <p className="text-sm text-muted">{text.run.chosen(items.length)}</p>
      <ul className="grid grid-cols-[repeat(auto-fill,minmax(96px,1fr))] gap-2">
        {items.map((item) => (
          <li key={item.key} className="relative">
            {item.url ? (
              <img src={item.url} alt={item.name} className="checker aspect-square w-full rounded border border-line object-cover" />
            ) : (
              <span className="grid aspect-square place-items-center rounded border border-line bg-sunken p-1 text-center text-xs break-all text-muted">{item.name}</span>
            )}
            <button
              type="button"
              aria-label={text.run.remove(item.name)}
              onClick={() => onRemove(item.key)}
              className="absolute top-1 right-1 grid size-6 place-items-center rounded-full bg-black/70 text-white max-md:size-8"
            >
              <X size={13} aria-hidden />
            </button>
            <span className="block truncate text-xs text-muted" title={item.name}>
              {item.file ? bytes(item.file.size) : item.name}
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}

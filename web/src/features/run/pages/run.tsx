import { useQueries, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { ArrowRight, ImagePlus, Play, RotateCcw, X } from "lucide-react";
import { type DragEvent, useCallback, useEffect, useRef, useState } from "react";
import { messageOf } from "@/shared/api/problem";
import { jobQuery, modelsQuery, modelVersionsQuery } from "@/shared/api/queries";
import { runJob } from "@/shared/api/run";
import type { Job, Json, Version } from "@/shared/api/types";
import { bytes, duration } from "@/shared/lib/format";
import { keys } from "@/shared/live/cache";
import { text } from "@/shared/text";
import { Button, buttonClass } from "@/shared/ui/button";
import { Select, TextArea } from "@/shared/ui/field";
import { Empty, ErrorNote, PageHead, SkeletonRows } from "@/shared/ui/misc";
import { StatusBadge } from "@/shared/ui/status";
import { JobResult } from "@/shared/viewer/result";
import { ExampleButton } from "@/features/models/components/example-offer";
import { sampleImage } from "../sample";

const MAX_BYTES = 100 * 1024 ** 2;
const AT_ONCE = 4;

interface Item {
  key: number;
  file: File;
  url: string;
  jobId: string | null;
  sent: number;
  error: string | null;
}

let nextKey = 1;

export function RunPage() {
  const search = useSearch({ from: "/inside/run" });
  const navigate = useNavigate({ from: "/run" });
  const client = useQueryClient();
  const [step, setStep] = useState<"choose" | "images" | "results">(search.version ? "images" : "choose");
  const [items, setItems] = useState<Item[]>([]);
  const [params, setParams] = useState("");
  const [notes, setNotes] = useState<string[]>([]);
  const [shown, setShown] = useState<number | null>(null);
  const choice = useChoice(search.model, search.version);
  const chosen = choice.version;
  const parsed = parseParams(params);

  const add = useCallback((files: Iterable<File>) => {
    const fresh = [...files];
    setNotes(fresh.filter((file) => file.size > MAX_BYTES).map((file) => text.run.tooLarge(file.name)));
    setItems((old) => [
      ...old,
      ...fresh.filter((file) => file.size <= MAX_BYTES).map((file) => ({ key: nextKey++, file, url: URL.createObjectURL(file), jobId: null, sent: 0, error: null })),
    ]);
  }, []);
  useEffect(() => {
    const onPaste = (event: ClipboardEvent) => {
      if (step === "images" && event.clipboardData?.files.length) add(event.clipboardData.files);
    };
    window.addEventListener("paste", onPaste);
    return () => window.removeEventListener("paste", onPaste);
  }, [add, step]);
  const patch = (key: number, change: Partial<Item>) => setItems((old) => old.map((item) => (item.key === key ? { ...item, ...change } : item)));

  const start = async (list: Item[]) => {
    if (!chosen || parsed === undefined) return;
    setStep("results");
    setShown(list[0]?.key ?? null);
    const queue = [...list];
    const work = async () => {
      for (let item = queue.shift(); item; item = queue.shift()) {
        const { key, file } = item;
        patch(key, { error: null, jobId: null, sent: 0 });
        try {
          await runJob(chosen.id, file, parsed, (jobId) => patch(key, { jobId }), (sent) => patch(key, { sent }));
        } catch (error) {
          patch(key, { error: messageOf(error) });
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    void client.invalidateQueries({ queryKey: ["jobs"] });
  };
  const reset = () => {
    for (const item of items) URL.revokeObjectURL(item.url);
    setItems([]);
    setShown(null);
    setStep("images");
  };
  return (
    <>
      <PageHead title={text.run.title} />
      <Steps step={step} />
      {step === "choose" && (
        <ChooseVersion
          choice={choice}
          onChange={(model, version) => void navigate({ search: { ...(model && { model }), ...(version && { version }) }, replace: true })}
          onNext={() => setStep("images")}
        />
      )}
      {step === "images" && (
        <div className="grid max-w-3xl gap-5">
          <div className="flex flex-wrap items-center gap-3">
            <p className="font-medium">
              {choice.modelName} <code className="text-sm">{chosen?.version_number}</code>
            </p>
            <Button size="sm" kind="ghost" onClick={() => setStep("choose")}>
              {text.run.back}
            </Button>
          </div>
          <Dropzone onFiles={add} />
          {notes.map((note) => (
            <p key={note} role="alert" className="text-sm text-bad">
              {note}
            </p>
          ))}
          {items.length > 0 && (
            <div className="grid gap-2">
              <p className="text-sm text-muted">{text.run.chosen(items.length)}</p>
              <ul className="grid grid-cols-[repeat(auto-fill,minmax(96px,1fr))] gap-2">
                {items.map((item) => (
                  <li key={item.key} className="group relative">
                    <img src={item.url} alt={item.file.name} className="checker aspect-square w-full rounded border border-line object-cover" />
                    <button
                      type="button"
                      aria-label={text.run.remove(item.file.name)}
                      onClick={() => {
                        URL.revokeObjectURL(item.url);
                        setItems((old) => old.filter((each) => each.key !== item.key));
                      }}
                      className="absolute top-1 right-1 grid size-6 place-items-center rounded-full bg-black/70 text-white max-md:size-8"
                    >
                      <X size={13} aria-hidden />
                    </button>
                    <span className="block truncate text-xs text-muted" title={item.file.name}>
                      {bytes(item.file.size)}
                    </span>
                  </li>
                ))}
              </ul>
            </div>
          )}
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
            <Button kind="primary" icon={<Play size={15} aria-hidden />} disabled={!items.length || !chosen || parsed === undefined} onClick={() => void start(items)}>
              {items.length > 1 ? text.run.runMany(items.length) : text.run.run}
            </Button>
            {!items.length && <Button onClick={() => void sampleImage().then((file) => add([file]))}>{text.run.sample}</Button>}
          </div>
        </div>
      )}
      {step === "results" && (
        <Results items={items} shown={shown} onShow={setShown} onRetry={(item) => void start([item])} onReset={reset} onAgain={() => void start(items)} onOther={() => setStep("choose")} />
      )}
    </>
  );
}

function parseParams(raw: string): Record<string, Json> | null | undefined {
  if (!raw.trim()) return null;
  try {
    const value: unknown = JSON.parse(raw);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, Json>) : undefined;
  } catch {
    return undefined;
  }
}

interface Choice {
  loading: boolean;
  error: unknown;
  options: { id: string; name: string; versions: Version[] }[];
  modelId: string | undefined;
  modelName: string;
  version: Version | undefined;
}

/** Models that have a version to run, and which one is chosen. */
function useChoice(modelId: string | undefined, versionId: string | undefined): Choice {
  const models = useQuery(modelsQuery);
  const all = models.data?.items.slice(0, 100) ?? [];
  const versions = useQueries({ queries: all.map((model) => modelVersionsQuery(model.id)) });
  const options = all
    .map((model, i) => ({ id: model.id, name: model.name, versions: (versions[i]?.data?.items ?? []).filter((each) => each.status === "READY") }))
    .filter((model) => model.versions.length);
  const owner = options.find((model) => model.versions.some((each) => each.id === versionId)) ?? options.find((model) => model.id === modelId) ?? options[0];
  return {
    loading: models.isLoading || versions.some((each) => each.isLoading),
    error: models.error,
    options,
    modelId: owner?.id,
    modelName: owner?.name ?? "",
    version: owner?.versions.find((each) => each.id === versionId) ?? owner?.versions[0],
  };
}

function ChooseVersion({ choice, onChange, onNext }: { choice: Choice; onChange: (model: string | undefined, version?: string) => void; onNext: () => void }) {
  if (choice.error) return <ErrorNote error={choice.error} />;
  if (choice.loading) return <SkeletonRows count={3} className="h-14 max-w-md" />;
  if (!choice.options.length) {
    return (
      <Empty icon={<Play aria-hidden />} title={text.run.noReady} line={text.run.noReadyLine}>
        <div className="flex flex-wrap justify-center gap-2">
          <ExampleButton />
          <Link to="/models" search={{}} className={buttonClass("plain")}>
            {text.run.toModels}
          </Link>
        </div>
      </Empty>
    );
  }
  const owner = choice.options.find((each) => each.id === choice.modelId);
  return (
    <form
      className="grid max-w-md gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        if (choice.version) onChange(choice.modelId, choice.version.id);
        onNext();
      }}
    >
      <Select label={text.run.model} value={choice.modelId} onChange={(event) => onChange(event.target.value)}>
        {choice.options.map((each) => (
          <option key={each.id} value={each.id}>
            {each.name}
          </option>
        ))}
      </Select>
      <Select label={text.run.version} value={choice.version?.id} onChange={(event) => onChange(choice.modelId, event.target.value)}>
        {owner?.versions.map((each) => (
          <option key={each.id} value={each.id}>
            {each.version_number}
          </option>
        ))}
      </Select>
      <Button type="submit" kind="primary" className="justify-self-start">
        {text.run.next}
        <ArrowRight size={15} aria-hidden />
      </Button>
    </form>
  );
}

function Steps({ step }: { step: string }) {
  const names = Object.entries(text.run.steps);
  const at = names.findIndex(([id]) => id === step);
  return (
    <ol aria-label={text.run.stepsLabel} className="mb-6 flex gap-2">
      {names.map(([id, label], i) => (
        <li key={id} aria-current={i === at ? "step" : undefined} className={`flex-1 border-t-2 pt-2 text-sm ${i <= at ? "border-accent font-medium" : "border-line text-muted"}`}>
          <span className="mr-1.5 text-muted tnum">{i + 1}</span>
          {label}
        </li>
      ))}
    </ol>
  );
}

function Dropzone({ onFiles }: { onFiles: (files: Iterable<File>) => void }) {
  const picker = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const onDrop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    onFiles(event.dataTransfer.files);
  };
  return (
    <div
      role="group"
      aria-label={text.run.drop}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={onDrop}
      className={`grid justify-items-center gap-2 rounded border border-dashed px-6 py-10 text-center transition-colors ${over ? "border-accent bg-accent-soft" : "border-line-strong bg-raised"}`}
    >
      <ImagePlus size={26} className="text-muted" aria-hidden />
      <p className="font-medium">{text.run.drop}</p>
      <p className="text-sm text-muted">{text.run.dropHint}</p>
      <Button size="sm" onClick={() => picker.current?.click()}>
        {text.run.choose}
      </Button>
      <input
        ref={picker}
        type="file"
        accept="image/*,.tif,.tiff,.dcm"
        multiple
        aria-label={text.run.choose}
        tabIndex={-1}
        className="sr-only"
        onChange={(event) => {
          onFiles(event.target.files ?? []);
          event.target.value = "";
        }}
      />
    </div>
  );
}

interface ResultsProps {
  items: Item[];
  shown: number | null;
  onShow: (key: number) => void;
  onRetry: (item: Item) => void;
  onReset: () => void;
  onAgain: () => void;
  onOther: () => void;
}

function Results({ items, shown, onShow, onRetry, onReset, onAgain, onOther }: ResultsProps) {
  const item = items.find((each) => each.key === shown) ?? items[0];
  return (
    <div className="grid gap-5">
      <div className="flex flex-wrap gap-2">
        <Button kind="primary" onClick={onReset} icon={<ImagePlus size={15} aria-hidden />}>
          {text.run.again}
        </Button>
        <Button onClick={onAgain} icon={<RotateCcw size={15} aria-hidden />}>
          {text.run.rerun}
        </Button>
        <Button kind="ghost" onClick={onOther}>
          {text.run.rerunOther}
        </Button>
      </div>
      {items.length > 1 && (
        <ul className="flex gap-2 overflow-x-auto pb-2" aria-label={text.run.results}>
          {items.map((each) => (
            <Thumb key={each.key} item={each} active={each.key === item?.key} onClick={() => onShow(each.key)} />
          ))}
        </ul>
      )}
      {item && (
        <>
          <ItemHead item={item} />
          {item.error ? (
            <ErrorNote title={text.run.failedToStart} error={item.error} retry={() => onRetry(item)} />
          ) : item.jobId ? (
            <JobResult key={item.jobId} jobId={item.jobId} failedTitle={text.jobs.failedTitle} />
          ) : (
            <SkeletonRows count={1} className="h-96" />
          )}
        </>
      )}
    </div>
  );
}

function useJob(jobId: string | null): Job | undefined {
  return useQuery({ ...jobQuery(jobId ?? ""), queryKey: keys.job(jobId ?? "none"), enabled: jobId !== null }).data;
}

function ItemHead({ item }: { item: Item }) {
  const job = useJob(item.jobId);
  return (
    <div className="flex flex-wrap items-center gap-3" role="status">
      <h2 className="min-w-0 truncate text-lg">{item.file.name}</h2>
      {job && <StatusBadge status={job.status} />}
      {job?.status === "UPLOADING" && item.sent > 0 && <span className="text-sm text-muted tnum">{Math.round(item.sent * 100)} %</span>}
      {job?.timings?.total !== undefined && <span className="text-sm text-muted tnum">{duration(job.timings.total)}</span>}
      {job && (
        <Link to="/jobs/$jobId" params={{ jobId: job.id }} className="ml-auto text-sm font-medium text-accent">
          {text.run.openJob}
        </Link>
      )}
    </div>
  );
}

function Thumb({ item, active, onClick }: { item: Item; active: boolean; onClick: () => void }) {
  const job = useJob(item.jobId);
  const failed = item.error !== null || job?.status === "FAILED";
  const tone = failed ? "bg-bad" : job?.status === "SUCCEEDED" ? "bg-good" : "bg-running animate-breathe";
  const state = item.error ? text.run.failedToStart : text.status[job?.status ?? "UPLOADING"];
  return (
    <li className="shrink-0">
      <button type="button" onClick={onClick} aria-current={active ? "true" : undefined} aria-label={`${item.file.name}: ${state}`} title={state} className="relative block rounded border-2 border-transparent aria-[current]:border-accent">
        <img src={item.url} alt="" className="checker size-16 rounded object-cover" />
        <span className={`absolute right-1 bottom-1 size-2.5 rounded-full ring-2 ring-white ${tone}`} />
      </button>
    </li>
  );
}

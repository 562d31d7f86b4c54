import { useMutation, useQuery } from "@tanstack/react-query";
import { Download, FileArchive, FileText } from "lucide-react";
import { useState } from "react";
import { jobQuery, outputsQuery } from "@/shared/api/queries";
import type { Output } from "@/shared/api/types";
import { packFiles } from "@/shared/lib/blobs";
import { saveBlob } from "@/shared/lib/copy";
import { bytes } from "@/shared/lib/format";
import { inputOf } from "@/shared/lib/inputs";
import { useLog } from "@/shared/live/use-log";
import { text } from "@/shared/text";
import { Button } from "@/shared/ui/button";
import { Failure } from "@/shared/ui/failure";
import { JsonTree } from "@/shared/ui/json-tree";
import { LogView } from "@/shared/ui/log";
import { ErrorNote, Section, Skeleton } from "@/shared/ui/misc";
import { OPEN_STATUS } from "@/shared/ui/status";
import { canShow, pictures } from "./bitmaps";
import { Picture } from "./thumb";
import { Viewer } from "./viewer";

interface Props {
  jobId: string;
  failedTitle: string;
  /** Step to another job of the same run, past the first or last image of this one. */
  onStepJob?: (by: number) => void;
}

/** Everything that came out of one job, as it comes. */
export function JobResult({ jobId, failedTitle, onStepJob }: Props) {
  const job = useQuery(jobQuery(jobId));
  const done = job.data?.status === "SUCCEEDED";
  const outputs = useQuery({ ...outputsQuery(jobId), enabled: done });
  const [picked, setPicked] = useState<string | null>(null);
  if (job.error) return <ErrorNote error={job.error} retry={() => void job.refetch()} />;
  if (!job.data) return <Skeleton className="h-96" />;
  const running = OPEN_STATUS.includes(job.data.status);
  const list = outputs.data?.outputs ?? [];
  const images = pictures(list);
  const shown = images.find((output) => output.name === picked) ?? images[0] ?? null;
  const kept = inputOf(jobId);
  // what is no image that a browser draws is not tried: the failure of the model says what it was
  const stored = canShow(job.data.input_type) ? job.data.input_url : null;
  const before = kept && canShow(kept.type) ? kept : (stored ?? null);
  const result = outputs.data?.result ?? job.data.result;
  const step = (by: number) => {
    const at = images.findIndex((output) => output.name === shown?.name);
    if (onStepJob && (at + by < 0 || at + by >= images.length)) return onStepJob(by);
    setPicked(images[(at + by + images.length) % images.length]?.name ?? null);
  };
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-6">
      {job.data.status === "FAILED" && <Failure code={job.data.error_code ?? "PLATFORM_ERROR"} message={job.data.error_message ?? ""} title={failedTitle} />}
      {done && outputs.error && <ErrorNote error={outputs.error} retry={() => void outputs.refetch()} />}
      {(before || shown || done) && !(done && outputs.isLoading) && (before || shown) ? (
        <Viewer before={before} after={shown} outputs={images} result={result} {...((images.length > 1 || onStepJob) && { onStep: step })} onReload={() => Promise.all([job.refetch(), outputs.refetch()])} />
      ) : (
        (running || outputs.isLoading) && <Skeleton className="h-[min(62dvh,34rem)] max-md:aspect-square max-md:h-auto" />
      )}
      {done && outputs.data && (
        <div className="grid gap-6 lg:grid-cols-2">
          <Section title={text.run.outputs} aside={list.length > 0 && <DownloadAll outputs={list} jobId={jobId} />}>
            <OutputList outputs={list} shown={shown?.name} onPick={setPicked} />
          </Section>
          <Section title={text.run.metadata}>
            <div className="card max-h-96 overflow-auto p-3">
              {result && Object.keys(result).length ? <JsonTree value={result} /> : <p className="text-sm text-muted">{text.run.noMetadata}</p>}
            </div>
          </Section>
        </div>
      )}
      <JobLog jobId={jobId} running={running} started={job.data.status !== "UPLOADING"} />
    </div>
  );
}

function JobLog({ jobId, running, started }: { jobId: string; running: boolean; started: boolean }) {
  const { lines, times } = useLog(`job:${jobId}`, running, started);
  return (
    <Section title={text.run.log}>
      <LogView lines={lines} times={times} live={running} name={`job-${jobId}.log`} label={text.run.log} empty={text.run.noLog} className={lines.length > 8 ? "h-72" : "h-28"} most="max-h-72" />
    </Section>
  );
}

const FILE = (
  <span className="grid size-11 shrink-0 place-items-center rounded bg-sunken text-muted">
    <FileText size={18} aria-hidden />
  </span>
);

function OutputList({ outputs, shown, onPick }: { outputs: Output[]; shown: string | undefined; onPick: (name: string) => void }) {
  if (!outputs.length) return <p className="card p-4 text-sm text-muted">{text.run.noOutputs}</p>;
  return (
    <ul className="card max-h-96 divide-y divide-line overflow-auto">
      {outputs.map((output) => {
        const raster = canShow(output.content_type);
        return (
          <li key={output.name} className="flex items-center gap-3 p-2">
            <button
              type="button"
              disabled={!raster}
              aria-current={output.name === shown ? "true" : undefined}
              onClick={() => onPick(output.name)}
              className="flex min-w-0 flex-1 items-center gap-3 rounded p-1 text-left enabled:hover:bg-sunken aria-[current]:bg-accent-soft"
            >
              {raster ? <Picture url={output.url} className="size-11" otherwise={FILE} /> : FILE}
              <span className="min-w-0">
                <span className="block truncate font-mono text-sm">{output.name}</span>
                <span className="text-xs text-muted tnum">{bytes(output.size)}</span>
              </span>
            </button>
            <a
              href={output.url}
              download
              aria-label={text.run.downloadOne(output.name)}
              title={text.run.downloadOne(output.name)}
              className="inline-flex size-8 shrink-0 items-center justify-center rounded text-muted hover:bg-sunken hover:text-text max-md:size-10"
            >
              <Download size={16} aria-hidden />
            </a>
          </li>
        );
      })}
    </ul>
  );
}

function DownloadAll({ outputs, jobId }: { outputs: Output[]; jobId: string }) {
  const pack = useMutation({
    mutationFn: async () => saveBlob(await packFiles(outputs), `job-${jobId}.zip`),
  });
  return (
    <Button size="sm" busy={pack.isPending} icon={<FileArchive size={14} aria-hidden />} onClick={() => pack.mutate()}>
      {pack.isError ? text.common.tryAgain : text.run.downloadAll}
    </Button>
  );
}

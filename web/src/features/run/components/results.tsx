import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { FileArchive, ImagePlus, RotateCcw } from "lucide-react";
import { outputsQuery } from "@/shared/api/queries";
import type { Job } from "@/shared/api/types";
import { packFiles } from "@/shared/lib/blobs";
import { saveBlob } from "@/shared/lib/copy";
import { duration } from "@/shared/lib/format";
import { text } from "@/shared/text";
import { Button } from "@/shared/ui/button";
import { ErrorNote, SkeletonRows } from "@/shared/ui/misc";
import { StatusBadge } from "@/shared/ui/status";
import { JobResult } from "@/shared/viewer/result";
import { JobThumb } from "@/shared/viewer/thumb";
import { type Item, useJobs } from "../items";

interface Props {
  items: Item[];
  shown: number | null;
  onShow: (key: number) => void;
  onRetry: (item: Item) => void;
  onReset: () => void;
  onAgain: () => void;
  onOther: () => void;
}

const ENDED = ["SUCCEEDED", "FAILED", "CANCELED"];

export function Results({ items, shown, onShow, onRetry, onReset, onAgain, onOther }: Props) {
  const jobs = useJobs(items);
  const at = Math.max(0, items.findIndex((each) => each.key === shown));
  const item = items[at];
  const job = jobs[at];
  const step = (by: number) => {
    const next = items[(at + by + items.length) % items.length];
    if (next) onShow(next.key);
  };
  const idle = items.every((each, i) => each.error !== null || ENDED.includes(jobs[i]?.status ?? ""));
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-5">
      <div className="flex flex-wrap gap-2">
        <Button kind="primary" onClick={onReset} icon={<ImagePlus size={15} aria-hidden />}>
          {text.run.again}
        </Button>
        <Button onClick={onAgain} disabled={!idle} icon={<RotateCcw size={15} aria-hidden />}>
          {text.run.rerun}
        </Button>
        <Button kind="plain" disabled={!idle} onClick={onOther}>
          {text.run.rerunOther}
        </Button>
        {items.length > 1 && <DownloadResults items={items} jobs={jobs} />}
      </div>
      {items.length > 1 && (
        <div className="grid grid-cols-[minmax(0,1fr)] gap-3">
          <Progress items={items} jobs={jobs} />
          <ul className="flex gap-2 overflow-x-auto p-1 pb-2" aria-label={text.run.results}>
            {items.map((each, i) => (
              <Thumb key={each.key} item={each} job={jobs[i]} active={i === at} onClick={() => onShow(each.key)} />
            ))}
          </ul>
        </div>
      )}
      {item && (
        <>
          <ItemHead item={item} job={job} />
          {item.error ? (
            <ErrorNote title={text.run.failedToStart} error={item.error} retry={() => onRetry(item)} />
          ) : item.jobId ? (
            <JobResult key={item.jobId} jobId={item.jobId} failedTitle={text.jobs.failedTitle} {...(items.length > 1 && { onStepJob: step })} />
          ) : (
            <SkeletonRows count={1} className="h-96" />
          )}
        </>
      )}
    </div>
  );
}

/** How far a run of many images is, in one bar and in words. */
function Progress({ items, jobs }: { items: Item[]; jobs: (Job | undefined)[] }) {
  const states = items.map((item, i) => (item.error === null ? (jobs[i]?.status ?? "UPLOADING") : "FAILED"));
  const count = (status: string) => states.filter((each) => each === status).length;
  const ended = states.filter((each) => ENDED.includes(each)).length;
  return (
    <div className="grid gap-1.5" role="status">
      <div
        role="progressbar"
        aria-label={text.run.progressLabel}
        aria-valuemin={0}
        aria-valuemax={items.length}
        aria-valuenow={ended}
        className="flex h-1.5 overflow-hidden rounded-full bg-sunken"
      >
        <div className="bg-good transition-[width] duration-150" style={{ width: `${(100 * count("SUCCEEDED")) / items.length}%` }} />
        <div className="bg-bad transition-[width] duration-150" style={{ width: `${(100 * (ended - count("SUCCEEDED"))) / items.length}%` }} />
      </div>
      <p className="text-sm text-muted tnum">
        {text.run.progress(ended, items.length)}
        {count("RUNNING") > 0 && ` · ${text.run.progressRunning(count("RUNNING"))}`}
        {ended > count("SUCCEEDED") && <span className="text-bad"> · {text.run.progressFailed(ended - count("SUCCEEDED"))}</span>}
      </p>
    </div>
  );
}

function ItemHead({ item, job }: { item: Item; job: Job | undefined }) {
  return (
    <div className="flex flex-wrap items-center gap-3" role="status">
      <h2 className="min-w-0 truncate text-lg">{item.name}</h2>
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

function Thumb({ item, job, active, onClick }: { item: Item; job: Job | undefined; active: boolean; onClick: () => void }) {
  const failed = item.error !== null || job?.status === "FAILED";
  const tone = failed ? "bg-bad" : job?.status === "SUCCEEDED" ? "bg-good" : job?.status === "CANCELED" ? "bg-muted" : "bg-running animate-breathe";
  const state = item.error ? text.run.failedToStart : (text.status[job?.status ?? "UPLOADING"] ?? "");
  return (
    <li className="shrink-0">
      <button
        type="button"
        onClick={onClick}
        aria-current={active ? "true" : undefined}
        aria-label={`${item.name}: ${state}`}
        title={`${item.name}: ${state}`}
        className="relative block rounded border-2 border-transparent aria-[current]:border-accent"
      >
        {item.url ? <img src={item.url} alt="" className="checker size-16 rounded object-cover" /> : job ? <JobThumb job={job} size="size-16" /> : <span className="skeleton block size-16" />}
        <span className={`absolute right-1 bottom-1 size-2.5 rounded-full ring-2 ring-white ${tone}`} />
      </button>
    </li>
  );
}

function DownloadResults({ items, jobs }: { items: Item[]; jobs: (Job | undefined)[] }) {
  const client = useQueryClient();
  const done = items.flatMap((item, i) => (jobs[i]?.status === "SUCCEEDED" ? [{ item, job: jobs[i] }] : []));
  const pack = useMutation({
    mutationFn: async () => {
      const files = [];
      for (const [i, { item, job }] of done.entries()) {
        const { outputs } = await client.fetchQuery({ ...outputsQuery(job.id), staleTime: 0 });
        // two images may have the same name
        const folder = `${String(i + 1).padStart(3, "0")}-${item.name.replace(/[^\w.-]+/g, "_")}`;
        for (const output of outputs) files.push({ name: `${folder}/${output.name}`, url: output.url });
      }
      saveBlob(await packFiles(files), "results.zip");
    },
  });
  return (
    <Button kind="plain" disabled={!done.length} busy={pack.isPending} icon={<FileArchive size={15} aria-hidden />} onClick={() => pack.mutate()}>
      {pack.isError ? text.common.tryAgain : text.run.downloadResults}
    </Button>
  );
}

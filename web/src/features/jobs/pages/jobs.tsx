import { useInfiniteQuery, useMutation, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { Ban, FilterX, ListChecks, RotateCcw } from "lucide-react";
import { memo, useEffect, useMemo, useRef } from "react";
import { api } from "@/shared/api/http";
import { messageOf } from "@/shared/api/problem";
import { jobsQuery, modelsQuery } from "@/shared/api/queries";
import { runAgain } from "@/shared/api/run";
import type { Job } from "@/shared/api/types";
import { duration, shortId } from "@/shared/lib/format";
import { jobName } from "@/shared/lib/job-name";
import { useNarrow } from "@/shared/lib/narrow";
import { useFallbackInterval } from "@/shared/live/live";
import { text } from "@/shared/text";
import { Button, buttonClass, IconButton } from "@/shared/ui/button";
import { BareSelect } from "@/shared/ui/field";
import { Empty, ErrorNote, PageHead, SkeletonRows, Time } from "@/shared/ui/misc";
import { StatusBadge } from "@/shared/ui/status";
import { toast } from "@/shared/ui/toasts";
import { JobThumb } from "@/shared/viewer/thumb";

const STATES = ["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED"];
const SPANS: Record<string, number> = { hour: 3_600_000, day: 86_400_000, week: 604_800_000 };
const ROW = 57;

export function JobsPage() {
  const search = useSearch({ from: "/inside/jobs" });
  const navigate = useNavigate({ from: "/jobs" });
  const models = useQuery(modelsQuery);
  const since = useMemo(() => {
    const span = search.time && SPANS[search.time];
    // whole minutes, so that the key does not change with every render
    return span ? new Date(Math.floor((Date.now() - span) / 60_000) * 60_000).toISOString() : undefined;
  }, [search.time]);
  const fallback = useFallbackInterval();
  const jobs = useInfiniteQuery({
    ...jobsQuery({ ...(search.status && { status: search.status }), ...(search.model && { model_id: search.model }), ...(since && { since }) }),
    refetchInterval: fallback,
  });
  const items = useMemo(() => jobs.data?.pages.flatMap((page) => page.items) ?? [], [jobs.data]);
  const set = (name: "status" | "model" | "time") => (event: { target: { value: string } }) =>
    void navigate({ search: (old) => ({ ...old, [name]: event.target.value || undefined }), replace: true });
  const filtered = Boolean(search.status || search.model || search.time);
  return (
    <>
      <PageHead title={text.jobs.title} />
      <div className="mb-4 flex flex-wrap gap-2 max-md:grid max-md:grid-cols-[1fr_1.1fr_1fr] max-md:gap-1.5">
        <BareSelect label={text.jobs.state} value={search.status ?? ""} onChange={set("status")}>
          <option value="">{text.jobs.anyState}</option>
          {STATES.map((state) => (
            <option key={state} value={state}>
              {text.status[state]}
            </option>
          ))}
        </BareSelect>
        <BareSelect label={text.jobs.model} value={search.model ?? ""} onChange={set("model")} className="md:max-w-52">
          <option value="">{text.jobs.anyModel}</option>
          {models.data?.items.map((model) => (
            <option key={model.id} value={model.id}>
              {model.name}
            </option>
          ))}
        </BareSelect>
        <BareSelect label={text.jobs.time} value={search.time ?? ""} onChange={set("time")}>
          <option value="">{text.jobs.anyTime}</option>
          {Object.entries(text.jobs.times).map(([id, label]) => (
            <option key={id} value={id}>
              {label}
            </option>
          ))}
        </BareSelect>
      </div>
      {jobs.error ? (
        <ErrorNote error={jobs.error} retry={() => void jobs.refetch()} />
      ) : jobs.isLoading ? (
        <SkeletonRows count={8} className="h-14" />
      ) : items.length ? (
        <>
          <JobRows items={items} />
          {jobs.hasNextPage && <More busy={jobs.isFetchingNextPage} onMore={() => void jobs.fetchNextPage()} />}
        </>
      ) : filtered ? (
        <Empty icon={<FilterX aria-hidden />} title={text.jobs.noMatch} line={text.jobs.noMatchLine}>
          <Button onClick={() => void navigate({ search: {}, replace: true })}>{text.jobs.clear}</Button>
        </Empty>
      ) : (
        <Empty icon={<ListChecks aria-hidden />} title={text.jobs.empty} line={text.jobs.emptyLine}>
          <Link to="/run" search={{}} className={buttonClass("primary")}>
            {text.jobs.run}
          </Link>
        </Empty>
      )}
    </>
  );
}

/** The next page comes before its end is reached; the button is there for whoever does not scroll. */
function More({ busy, onMore }: { busy: boolean; onMore: () => void }) {
  const ref = useRef<HTMLDivElement>(null);
  const more = useRef(onMore);
  more.current = onMore;
  useEffect(() => {
    const element = ref.current;
    if (!element || busy) return;
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && more.current(), { rootMargin: "1200px" });
    observer.observe(element);
    return () => observer.disconnect();
  }, [busy]);
  return (
    <div ref={ref} className="mt-4 h-11">
      <Button busy={busy} onClick={onMore}>
        {text.common.more}
      </Button>
    </div>
  );
}

const GRID = "grid grid-cols-[40px_minmax(0,1fr)_auto] items-center gap-3 px-3 lg:grid-cols-[40px_9rem_minmax(0,1fr)_6rem_5rem_8rem_2.5rem] lg:gap-x-5";

/** A thousand rows are a list of which twenty are in the page. No clip: round corners on a box so tall cost every frame. */
function JobRows({ items }: { items: Job[] }) {
  const box = useRef<HTMLDivElement>(null);
  const act = useAct();
  const narrow = useNarrow();
  const rows = useWindowVirtualizer({ count: items.length, estimateSize: () => ROW, overscan: 8, scrollMargin: box.current?.offsetTop ?? 0, getItemKey: (i) => items[i]?.id ?? i });
  useEffect(() => rows.measure(), [rows]);
  return (
    <div role="table" aria-label={text.jobs.title} aria-rowcount={items.length + 1} className="card">
      <div role="row" className={`${GRID} h-9 rounded-t border-b border-line bg-sunken text-xs font-medium text-muted max-lg:hidden`}>
        <span role="columnheader" aria-label={text.run.result} />
        <span role="columnheader">{text.jobs.columns.status}</span>
        <span role="columnheader">{text.jobs.columns.model}</span>
        <span role="columnheader">{text.jobs.columns.job}</span>
        <span role="columnheader" className="text-right">
          {text.jobs.columns.took}
        </span>
        <span role="columnheader">{text.jobs.columns.created}</span>
        <span role="columnheader" aria-label={text.jobs.columns.actions} />
      </div>
      <div ref={box} role="rowgroup" className="relative" style={{ height: rows.getTotalSize() }}>
        {rows.getVirtualItems().map((row) => {
          const job = items[row.index];
          return (
            job && (
              <div key={row.key} className="absolute inset-x-0 top-0 h-[57px]" style={{ transform: `translateY(${row.start - rows.options.scrollMargin}px)` }}>
                <Row job={job} narrow={narrow} busy={act.isPending && act.variables.id === job.id} onAct={act.mutate} />
              </div>
            )
          );
        })}
      </div>
    </div>
  );
}

/** Cancel what runs, run again what ended. */
function useAct() {
  return useMutation({
    mutationFn: async (job: Job) => {
      if (job.status === "QUEUED" || job.status === "RUNNING") await api.post(`/api/jobs/${job.id}/cancel`);
      else return runAgain(job.id);
      return null;
    },
    onSuccess: (jobId, job) => {
      if (!jobId) return;
      toast({
        tone: "info",
        title: text.jobs.restarted(jobName(job)),
        action: (
          <Link to="/jobs/$jobId" params={{ jobId }} className="text-sm font-medium text-accent">
            {text.common.open}
          </Link>
        ),
      });
    },
    onError: (error) => toast({ tone: "bad", title: text.common.failed, line: messageOf(error) }),
  });
}

interface RowProps {
  job: Job;
  narrow: boolean;
  busy: boolean;
  onAct: (job: Job) => void;
}

/** A row is light: hundreds a second are made and dropped while somebody scrolls. */
const Row = memo(function Row({ job, narrow, busy, onAct }: RowProps) {
  const open = job.status === "QUEUED" || job.status === "RUNNING";
  return (
    <div role="row" className={`${GRID} relative h-14 border-b border-line hover:bg-sunken`}>
      <span role="cell">
        <JobThumb job={job} />
      </span>
      {!narrow && (
        <span role="cell">
          <StatusBadge status={job.status} />
        </span>
      )}
      <span role="cell" className="min-w-0">
        <span className="flex items-baseline justify-between gap-3">
          <Link to="/jobs/$jobId" params={{ jobId: job.id }} className="block min-w-0 truncate font-medium after:absolute after:inset-0">
            {jobName(job)}
          </Link>
          {narrow && <Time at={job.created_at} short className="shrink-0 text-xs text-muted tnum" />}
        </span>
        {narrow && (
          <span className="mt-0.5 flex items-center gap-2 text-xs text-muted tnum">
            <StatusBadge status={job.status} />
            {job.timings?.total !== undefined && <span className="truncate">{duration(job.timings.total)}</span>}
          </span>
        )}
      </span>
      {!narrow && (
        <>
          <span role="cell" className="truncate font-mono text-xs text-muted">
            {shortId(job.id)}
          </span>
          <span role="cell" className="text-right text-sm tnum">
            {duration(job.timings?.total)}
          </span>
          <span role="cell" className="truncate text-sm text-muted">
            <Time at={job.created_at} />
          </span>
        </>
      )}
      <span role="cell">
        {open ? (
          <IconButton label={text.jobs.cancel} className="relative z-10" disabled={busy} onClick={() => onAct(job)}>
            <Ban size={15} aria-hidden />
          </IconButton>
        ) : (
          job.status !== "UPLOADING" && (
            <IconButton label={text.jobs.rerun} className="relative z-10" disabled={busy} onClick={() => onAct(job)}>
              <RotateCcw size={15} aria-hidden />
            </IconButton>
          )
        )}
      </span>
    </div>
  );
});

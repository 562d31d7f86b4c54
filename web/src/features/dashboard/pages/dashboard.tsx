import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CheckCircle2, CircleAlert } from "lucide-react";
import { lazy, type ReactNode, Suspense, useMemo } from "react";
import { ExampleButton } from "@/features/models/components/example-offer";
import { hasExample } from "@/features/models/example";
import { ModelCard } from "@/features/models/components/model-card";
import { healthQuery, jobsQuery, meQuery, modelsQuery, usageQuery } from "@/shared/api/queries";
import type { Health, Job } from "@/shared/api/types";
import { bytes, duration, durations, percent, quantile } from "@/shared/lib/format";
import { jobName } from "@/shared/lib/job-name";
import { text } from "@/shared/text";
import { buttonClass } from "@/shared/ui/button";
import { ErrorNote, PageHead, Section, Skeleton, SkeletonRows, Time } from "@/shared/ui/misc";
import { StatusBadge } from "@/shared/ui/status";
import { JobThumb } from "@/shared/viewer/thumb";

const Chart = lazy(() => import("@/shared/ui/chart").then((each) => ({ default: each.Chart })));
const words = text.dashboard;

export function DashboardPage() {
  const me = useQuery(meQuery);
  const models = useQuery(modelsQuery);
  const jobs = useInfiniteQuery(jobsQuery());
  const items = useMemo(() => jobs.data?.pages.flatMap((page) => page.items) ?? [], [jobs.data]);
  const mine = models.data?.items.filter((model) => model.owner_id === me.data?.id) ?? [];
  const first = models.data && me.data && mine.length === 0;
  return (
    <>
      <PageHead tab={words.title} title={me.data ? words.hello(me.data.username) : words.title} />
      <div className="grid gap-8">
        {first && (
          <section className="card grid items-center gap-4 border-accent/40 p-5 md:grid-cols-[1fr_auto]">
            <div>
              <h2 className="text-lg">{hasExample ? text.models.exampleTitle : text.models.firstTitle}</h2>
              <p className="text-muted">{hasExample ? text.models.exampleLine : text.models.firstLine}</p>
            </div>
            <div className="flex flex-wrap gap-2">
              <ExampleButton />
              <Link to="/models" search={{ create: true }} className={buttonClass("plain")}>
                {text.models.create}
              </Link>
            </div>
          </section>
        )}
        <Figures jobs={jobs.data ? items : null} loading={jobs.isLoading || models.isLoading || me.isLoading} />
        {!first && (
          <Section title={words.models} aside={<Link to="/models" search={{}} className="text-sm font-medium text-accent">{words.allModels}</Link>}>
            {models.error && <ErrorNote error={models.error} retry={() => void models.refetch()} />}
            <div className="grid gap-4 empty:hidden sm:grid-cols-2 xl:grid-cols-3">
              {models.isLoading || me.isLoading
                ? [0, 1, 2].map((i) => <Skeleton key={i} className="h-40" />)
                : mine.slice(0, 6).map((model) => <ModelCard key={model.id} model={model} />)}
            </div>
          </Section>
        )}
        <div className={`grid gap-8 ${jobs.isLoading || items.length ? "lg:grid-cols-2" : ""}`}>
          <Section title={words.recent} aside={<Link to="/jobs" search={{}} className="text-sm font-medium text-accent">{words.allJobs}</Link>}>
            {jobs.error ? <ErrorNote error={jobs.error} retry={() => void jobs.refetch()} /> : jobs.isLoading ? <SkeletonRows count={5} className="h-12" /> : <Recent jobs={items.slice(0, 6)} />}
          </Section>
          {jobs.isLoading ? <Section title={words.charts}><SkeletonRows count={2} className="h-[228px]" /></Section> : items.length > 0 && <Charts jobs={items} />}
        </div>
      </div>
    </>
  );
}

function Figure({ label, value, line, loading, wide }: { label: string; value: ReactNode; line: ReactNode; loading?: boolean; wide?: boolean }) {
  return (
    <div className={`card grid h-28 content-between p-4 ${wide ? "max-lg:col-span-2" : ""}`}>
      <dt className="text-sm text-muted">{label}</dt>
      <dd className="grid">
        {loading ? <Skeleton className="h-8 w-20" /> : <span className="truncate text-2xl leading-tight font-semibold tracking-tight tnum">{value}</span>}
        <span className="truncate text-xs text-muted tnum">{loading ? " " : line}</span>
      </dd>
    </div>
  );
}

/** `jobs`: null when they could not be read. */
function Figures({ jobs, loading }: { jobs: Job[] | null; loading: boolean }) {
  const health = useQuery(healthQuery);
  const inState = (...states: Job["status"][]) => jobs?.filter((job) => states.includes(job.status)) ?? [];
  const [good, queued, running] = [inState("SUCCEEDED").length, inState("QUEUED").length, inState("RUNNING").length];
  const ended = inState("SUCCEEDED", "FAILED");
  const times = ended.flatMap((job) => (job.timings?.total === undefined ? [] : [job.timings.total]));
  const of = (line: string) => (jobs ? line : words.notKnown);
  return (
    <dl className="grid grid-cols-2 gap-4 md:grid-cols-3 lg:grid-cols-5">
      <Figure label={words.success} loading={loading} value={percent(good, ended.length)} line={of(ended.length ? words.successOf(ended.length) : words.noneEnded)} />
      <Figure label={words.latency} loading={loading} value={duration(quantile(times, 0.5))} line={of(times.length ? words.latencyLine(duration(quantile(times, 0.95))) : words.noneEnded)} />
      <Figure label={words.waiting} loading={loading} value={jobs ? queued + running : "–"} line={of(words.waitingLine(queued, running))} />
      <Stored loading={loading} />
      <Platform health={health.data} failed={health.isError} loading={health.isLoading} />
    </dl>
  );
}

function Platform({ health, failed, loading }: { health: Health | undefined; failed: boolean; loading: boolean }) {
  const parts = Object.entries(health?.components ?? {});
  const bad = parts.filter(([, state]) => state !== "ok");
  const good = !failed && health !== undefined && bad.length === 0;
  const Icon = good ? CheckCircle2 : CircleAlert;
  const line = failed ? words.healthUnknown : bad.length ? words.healthBad(bad.map(([name]) => name)) : words.healthGood;
  return (
    <Figure
      wide
      label={words.health}
      loading={loading}
      value={
        <span className={`flex items-center gap-2 text-xl ${good ? "text-good" : "text-warn"}`} title={parts.map(([name, state]) => `${name}: ${state}`).join("\n")}>
          <Icon size={20} aria-hidden />
          {failed || !health ? "–" : words.healthStates[health.status]}
        </span>
      }
      line={<span title={bad.map(([name, state]) => `${name}: ${state}`).join("\n")}>{line}</span>}
    />
  );
}

/** What the user's models take on disk, of what the operator allows. */
function Stored({ loading }: { loading: boolean }) {
  const usage = useQuery(usageQuery);
  const taken = usage.data && usage.data.package_bytes + usage.data.image_bytes;
  const quota = usage.data?.quota_bytes ?? null;
  return (
    <Figure
      label={words.stored}
      loading={loading || usage.isLoading}
      value={bytes(taken)}
      line={
        usage.isError ? words.notKnown : <span title={words.storedTitle(quota !== null)} className={quota !== null && taken !== undefined && taken > 0.9 * quota ? "text-warn" : ""}>
          {quota === null || taken === undefined ? words.storedLine(usage.data?.versions ?? 0) : words.storedOf(percent(taken, quota), bytes(quota))}
        </span>
      }
    />
  );
}

function Recent({ jobs }: { jobs: Job[] }) {
  if (!jobs.length) return <p className="card p-6 text-center text-sm text-muted">{words.noJobs}</p>;
  return (
    <ul className="card divide-y divide-line overflow-hidden">
      {jobs.map((job) => (
        <li key={job.id}>
          <Link to="/jobs/$jobId" params={{ jobId: job.id }} className="flex items-center gap-3 px-3 py-2 hover:bg-sunken">
            <JobThumb job={job} />
            <span className="min-w-0 flex-1">
              <span className="block truncate font-medium">{jobName(job)}</span>
              <span className="block truncate text-xs text-muted tnum">
                <Time at={job.created_at} />
                {job.timings?.total !== undefined && ` · ${duration(job.timings.total)}`}
              </span>
            </span>
            <StatusBadge status={job.status} />
          </Link>
        </li>
      ))}
    </ul>
  );
}

function Charts({ jobs }: { jobs: Job[] }) {
  const series = (name: string) =>
    jobs
      .filter((job) => job.status === "SUCCEEDED" && job.timings?.[name] !== undefined)
      .slice(0, 50)
      .reverse()
      .map((job) => ({ at: Date.parse(job.created_at), value: job.timings[name] as number }));
  const latency = useMemo(() => series("total"), [jobs]); // eslint-disable-line react-hooks/exhaustive-deps
  const queue = useMemo(() => series("queue"), [jobs]); // eslint-disable-line react-hooks/exhaustive-deps
  return (
    <Section title={words.charts}>
      <Suspense fallback={<SkeletonRows count={2} className="h-[228px]" />}>
        <div className="grid gap-4">
          <Chart label={words.chartLatency} points={latency} format={duration} ticks={durations} />
          <Chart label={words.chartQueue} points={queue} format={duration} ticks={durations} />
        </div>
      </Suspense>
    </Section>
  );
}

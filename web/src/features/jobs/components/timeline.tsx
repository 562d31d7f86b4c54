import type { Job } from "@/shared/api/types";
import { duration } from "@/shared/lib/format";
import { text } from "@/shared/text";
import { useElapsed } from "@/shared/ui/misc";

// waiting is grey, getting ready blue, the model's own time the accent: red and green mean an end elsewhere
const TONES: Record<string, string> = {
  queue: "bg-line-strong",
  input: "bg-running/35",
  image: "bg-running/50",
  container: "bg-running/65",
  start: "bg-running/80",
  sandbox: "bg-running/80",
  load: "bg-accent/55",
  setup: "bg-accent/55",
  run: "bg-accent",
  collect: "bg-muted/60",
  close: "bg-muted/40",
  upload: "bg-muted",
};
// an object has no order of its own: this is the one things happen in
const ORDER = Object.keys(TONES);
const place = (name: string) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.indexOf("collect") - 0.5);
const toneOf = (name: string) => TONES[name] ?? "bg-running";

/** Where the time of a job went: one bar, and the same numbers as a list. */
export function Timeline({ job }: { job: Job }) {
  const open = job.status === "QUEUED" || job.status === "RUNNING";
  const elapsed = useElapsed(job.queued_at ?? job.created_at, open);
  const phases = Object.entries(job.timings ?? {})
    .filter(([name, ms]) => name !== "total" && ms >= 0)
    .sort(([a], [b]) => place(a) - place(b));
  const total = phases.reduce((sum, [, ms]) => sum + ms, 0);
  return (
    <div className="card grid gap-3 p-4">
      {phases.length ? (
        <div aria-hidden className="flex h-3 gap-0.5 overflow-hidden rounded-full bg-sunken">
          {phases.map(([name, ms]) => (
            <span key={name} title={`${text.jobs.phases[name] ?? name}: ${duration(ms)}`} className={`min-w-0.5 ${toneOf(name)}`} style={{ flexGrow: ms / Math.max(total, 1) }} />
          ))}
        </div>
      ) : (
        <div aria-hidden className={`h-3 rounded-full bg-sunken ${open ? "animate-breathe" : ""}`} />
      )}
      <dl className="flex flex-wrap gap-x-6 gap-y-2 text-sm">
        {phases.map(([name, ms]) => (
          <div key={name} className="flex items-center gap-2">
            <dt className="flex items-center gap-1.5 text-muted">
              <span aria-hidden className={`size-2 rounded-full ${toneOf(name)}`} />
              {text.jobs.phases[name] ?? name}
            </dt>
            <dd className="tnum">{duration(ms)}</dd>
          </div>
        ))}
        <div className="flex gap-2 font-medium">
          <dt>{text.jobs.total}</dt>
          <dd className="tnum">{open ? duration(elapsed) : duration(job.timings?.total ?? (total || null))}</dd>
        </div>
      </dl>
    </div>
  );
}

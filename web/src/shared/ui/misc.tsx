import { AlertTriangle, Check, ChevronRight, Copy, RotateCw } from "lucide-react";
import { type ReactNode, useEffect, useState, useSyncExternalStore } from "react";
import { ApiError, messageOf } from "@/shared/api/problem";
import { copyText } from "@/shared/lib/copy";
import { absolute, relative, shortId } from "@/shared/lib/format";
import { useTitle } from "@/shared/lib/title";
import { text } from "@/shared/text";
import { Button } from "./button";

// one clock for all relative times of the page
let ticking: ReturnType<typeof setInterval> | undefined;
const tickers = new Set<() => void>();
let tick = Date.now();

function subscribeTick(listener: () => void) {
  tickers.add(listener);
  ticking ??= setInterval(() => {
    tick = Date.now();
    for (const each of tickers) each();
  }, 15_000);
  return () => {
    tickers.delete(listener);
    if (!tickers.size) {
      clearInterval(ticking);
      ticking = undefined;
    }
  };
}

/** A relative time that keeps itself right, the absolute one on hover. */
export function Time({ at, className, short = false }: { at: string | number | null | undefined; className?: string; short?: boolean }) {
  const now = useSyncExternalStore(subscribeTick, () => tick);
  if (!at) return <span className={className}>–</span>;
  return (
    <time dateTime={new Date(at).toISOString()} title={absolute(at)} className={className}>
      {relative(at, Math.max(now, Date.now() - 15_000), short)}
    </time>
  );
}

/** Milliseconds since `from`, ten times a second while something runs. */
export function useElapsed(from: string | null | undefined, running: boolean): number | null {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!running) return;
    const timer = setInterval(() => setNow(Date.now()), 100);
    return () => clearInterval(timer);
  }, [running]);
  return from ? Math.max(0, now - new Date(from).getTime()) : null;
}

/** `value` may be a function: a long log is put together when it is copied, not with every line of it. */
export function CopyButton({ value, label, children }: { value: string | (() => string); label: string; children?: ReactNode }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(false), 1500);
    return () => clearTimeout(timer);
  }, [done]);
  const Icon = done ? Check : Copy;
  return (
    <button
      type="button"
      title={label}
      aria-label={children ? undefined : done ? text.common.copied : label}
      onClick={() => void copyText(typeof value === "string" ? value : value()).then(setDone)}
      className="-mx-1.5 inline-flex min-h-6 min-w-6 items-center justify-center gap-1.5 rounded max-md:-my-1.5 max-md:min-h-9 px-1.5 py-1 text-muted hover:bg-sunken hover:text-text"
    >
      {children}
      {children && <span className="sr-only">{done ? text.common.copied : label}</span>}
      <Icon size={13} aria-hidden />
    </button>
  );
}

export function Id({ id }: { id: string }) {
  return (
    <CopyButton value={id} label={text.common.copyId}>
      <code className="text-xs">{shortId(id)}</code>
    </CopyButton>
  );
}

/** A failed request: what failed, why, and the way to try again. */
export function ErrorNote({ error, retry, title }: { error: unknown; retry?: () => void; title?: string }) {
  const code = error instanceof ApiError && error.code !== "UNREACHABLE" ? error.code : null;
  return (
    <div role="alert" className="flex items-start gap-3 rounded border border-bad/40 bg-bad-soft p-4">
      <AlertTriangle size={18} className="mt-0.5 shrink-0 text-bad" aria-hidden />
      <div className="min-w-0 flex-1">
        <p className="font-medium">{title ?? text.common.failed}</p>
        <p className="text-sm break-words">{messageOf(error)}</p>
        {code && <code className="text-xs text-muted">{code}</code>}
      </div>
      {retry && (
        <Button size="sm" icon={<RotateCw size={14} aria-hidden />} onClick={retry}>
          {text.common.tryAgain}
        </Button>
      )}
    </div>
  );
}

interface EmptyProps {
  icon: ReactNode;
  title: string;
  line: string;
  children?: ReactNode;
}

/** An empty list teaches the next step: one line, one button. */
export function Empty({ icon, title, line, children }: EmptyProps) {
  return (
    <div className="card grid justify-items-center gap-3 px-6 py-12 text-center">
      <div className="grid size-12 place-items-center rounded-full bg-accent-soft text-accent">{icon}</div>
      <div className="grid gap-1">
        <p className="text-lg font-semibold">{title}</p>
        <p className="max-w-md text-muted">{line}</p>
      </div>
      {children}
    </div>
  );
}

export function Skeleton({ className }: { className: string }) {
  return <div aria-hidden className={`skeleton ${className}`} />;
}

export function SkeletonRows({ count, className }: { count: number; className: string }) {
  return (
    <div className="grid gap-3" role="status" aria-label={text.common.loading}>
      {Array.from({ length: count }, (_, i) => (
        <Skeleton key={i} className={className} />
      ))}
    </div>
  );
}

interface HeadProps {
  crumbs?: ReactNode[];
  title: ReactNode;
  /** Name of the browser's tab where the title is more than words. */
  tab?: string;
  aside?: ReactNode;
  children?: ReactNode;
}

export function PageHead({ crumbs, title, tab, aside, children }: HeadProps) {
  useTitle(tab ?? (typeof title === "string" ? title : null));
  return (
    <header className="mb-6 grid gap-2">
      {crumbs && (
        <nav aria-label={text.common.breadcrumb} className="flex flex-wrap items-center gap-1 text-sm text-muted">
          {crumbs.map((crumb, i) => (
            <span key={i} className="inline-flex items-center gap-1">
              {i > 0 && <ChevronRight size={14} aria-hidden />}
              {crumb}
            </span>
          ))}
        </nav>
      )}
      <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-3">
        <h1 className="min-w-0">{title}</h1>
        {aside && <div className="flex flex-wrap items-center gap-2">{aside}</div>}
      </div>
      {children}
    </header>
  );
}

export function Section({ title, aside, children, className = "" }: { title: string; aside?: ReactNode; children: ReactNode; className?: string }) {
  return (
    <section className={`min-w-0 ${className}`}>
      <div className="mb-3 flex min-h-8 items-center justify-between gap-3">
        <h2>{title}</h2>
        {aside}
      </div>
      {children}
    </section>
  );
}

/** Name and value pairs. */
export function Facts({ rows }: { rows: [string, ReactNode][] }) {
  return (
    <dl className="grid grid-cols-[minmax(6.5rem,auto)_minmax(0,1fr)] items-center gap-x-4 gap-y-1.5 text-sm">
      {rows.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-muted">{name}</dt>
          <dd className="min-w-0 break-words">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

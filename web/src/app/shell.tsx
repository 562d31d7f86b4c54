import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useLocation, useNavigate } from "@tanstack/react-router";
import { Boxes, Gauge, ListChecks, LogOut, Moon, Play, Search, ShieldCheck, Sun, UserRound } from "lucide-react";
import { useCallback, useEffect, useRef, useState } from "react";
import { api } from "@/shared/api/http";
import { meQuery } from "@/shared/api/queries";
import { session } from "@/shared/api/session";
import type { Job, Model, Page, Version } from "@/shared/api/types";
import { clock } from "@/shared/lib/format";
import { jobName } from "@/shared/lib/job-name";
import { setTheme, useTheme } from "@/shared/lib/theme";
import { keys } from "@/shared/live/cache";
import type { EventFrame } from "@/shared/live/frames";
import { useLive, useLiveEvents } from "@/shared/live/live";
import { text } from "@/shared/text";
import { IconButton } from "@/shared/ui/button";
import { Toasts, toast } from "@/shared/ui/toasts";
import { Palette } from "./palette";

const NAV = [
  { to: "/dashboard", label: text.shell.dashboard, icon: Gauge },
  { to: "/models", label: text.shell.models, icon: Boxes },
  { to: "/run", label: text.shell.run, icon: Play },
  { to: "/jobs", label: text.shell.jobs, icon: ListChecks },
  { to: "/account", label: text.shell.account, icon: UserRound },
] as const;

export async function logOut(): Promise<void> {
  await api.post("/api/users/logout").catch(() => null);
  session.end();
}

export function Shell() {
  const me = useQuery(meQuery);
  const [palette, setPalette] = useState<"off" | "search" | "shortcuts">("off");
  useElsewhere();
  useShortcuts(setPalette);
  useFocusOnArrival();
  const items = me.data?.role === "admin" ? [...NAV, { to: "/admin", label: text.shell.admin, icon: ShieldCheck } as const] : NAV;
  return (
    <div className="min-h-dvh md:grid md:grid-cols-[13.5rem_minmax(0,1fr)]">
      <a
        href="#content"
        className="sr-only z-50 bg-raised px-3 py-2 shadow-float focus:not-sr-only focus:fixed focus:top-2 focus:left-2"
      >
        {text.shell.skip}
      </a>
      <aside className="sticky top-0 hidden h-dvh flex-col gap-1 border-r border-line bg-raised p-3 md:flex">
        <Link to="/dashboard" className="mb-3 flex items-center gap-2.5 rounded px-2 py-1.5 text-lg font-semibold">
          <img src="/favicon.svg" alt="" width={24} height={24} />
          {text.common.product}
        </Link>
        <button
          type="button"
          onClick={() => setPalette("search")}
          className="mb-2 flex h-9 items-center gap-2 rounded border border-line px-2.5 text-sm text-muted hover:border-line-strong"
        >
          <Search size={15} aria-hidden />
          <span className="flex-1 truncate text-left">{text.shell.search}</span>
          <kbd className="text-xs">⌃K</kbd>
        </button>
        <nav aria-label={text.shell.navigation} className="grid gap-0.5">
          {items.map(({ to, label, icon: Icon }) => (
            <Link
              key={to}
              to={to}
              className="flex h-9 items-center gap-2.5 rounded px-2.5 font-medium text-muted transition-colors hover:bg-sunken hover:text-text data-[status=active]:bg-accent-soft data-[status=active]:text-accent"
            >
              <Icon size={17} aria-hidden />
              {label}
            </Link>
          ))}
        </nav>
        <div className="mt-auto grid gap-2">
          <Connection />
          <div className="flex items-center gap-1 border-t border-line pt-2">
            <span className="min-w-0 flex-1 truncate px-2.5 text-sm text-muted">{me.data?.username ?? " "}</span>
            <ThemeButton />
            <IconButton label={text.shell.logout} onClick={() => void logOut()}>
              <LogOut size={16} aria-hidden />
            </IconButton>
          </div>
        </div>
      </aside>
      <div className="min-w-0">
        <header className="sticky top-0 z-30 flex items-center justify-between gap-2 border-b border-line bg-raised px-4 py-1.5 md:hidden">
          <Link to="/dashboard" className="flex items-center gap-2 font-semibold">
            <img src="/favicon.svg" alt="" width={24} height={24} />
            {text.common.product}
          </Link>
          <div className="flex items-center">
            <Connection short />
            <IconButton label={text.shell.search} onClick={() => setPalette("search")}>
              <Search size={18} aria-hidden />
            </IconButton>
            <ThemeButton />
            <IconButton label={text.shell.logout} onClick={() => void logOut()}>
              <LogOut size={18} aria-hidden />
            </IconButton>
          </div>
        </header>
        <Stale />
        <main id="content" tabIndex={-1} className="mx-auto w-full max-w-[1200px] px-4 pt-6 pb-28 outline-none md:px-8 md:pt-8 md:pb-16">
          <Outlet />
        </main>
      </div>
      <nav
        aria-label={text.shell.navigation}
        className="fixed inset-x-0 bottom-0 z-30 flex border-t border-line bg-raised pb-[env(safe-area-inset-bottom)] md:hidden"
      >
        {items.map(({ to, label, icon: Icon }) => (
          <Link
            key={to}
            to={to}
            className="flex min-w-0 flex-1 flex-col items-center gap-0.5 px-0.5 py-2 text-[0.6875rem] font-medium text-muted data-[status=active]:text-accent"
          >
            <Icon size={20} aria-hidden />
            <span className="max-w-full truncate">{label.replace(/^(My|Run) /, "")}</span>
          </Link>
        ))}
      </nav>
      {palette !== "off" && <Palette mode={palette} onClose={() => setPalette("off")} />}
      <Toasts />
    </div>
  );
}

function ThemeButton() {
  const dark = useTheme() === "dark";
  return (
    <IconButton label={dark ? text.shell.themeLight : text.shell.themeDark} onClick={() => setTheme(dark ? "light" : "dark")}>
      {dark ? <Sun size={16} aria-hidden /> : <Moon size={16} aria-hidden />}
    </IconButton>
  );
}

/** The connection in words, apart from the state of any work. */
function Connection({ short }: { short?: boolean }) {
  const { state } = useLive();
  const isLive = state === "live";
  const word = isLive ? text.live.live : state === "connecting" ? text.live.connecting : state === "reconnecting" ? text.live.reconnectingShort : text.live.off;
  return (
    <span
      role="status"
      title={isLive ? text.live.liveLong : word}
      data-testid="connection"
      className={`flex items-center gap-2 px-2.5 text-sm ${isLive ? "text-muted" : "text-warn"}`}
    >
      <span className={`size-2 rounded-full ${isLive ? "bg-good" : "animate-breathe bg-warn"}`} />
      <span className={short && isLive ? "sr-only" : ""}>{word}</span>
    </span>
  );
}

function Stale() {
  const { state, knewAt } = useLive();
  if (state !== "reconnecting" || knewAt === null) return null;
  return (
    <p role="status" className="sticky top-0 z-20 border-b border-line bg-warn-soft px-4 py-1.5 text-center text-sm text-warn max-md:top-[53px]">
      {text.live.reconnecting(clock(knewAt))}
    </p>
  );
}

/** Toasts for what ended while the reader looks at another page. */
function useElsewhere() {
  const client = useQueryClient();
  useLiveEvents(
    useCallback(
      (frame: EventFrame, object: Version | Job) => {
        const path = location.pathname;
        if (frame.event === "version.ready" || frame.event === "version.failed") {
          const version = object as Version;
          if (path === `/models/${version.model_id}`) return;
          const model = client.getQueryData<Page<Model>>(keys.models)?.items.find((each) => each.id === version.model_id);
          const name = `${model?.name ?? ""} ${version.version_number}`.trim();
          const ready = frame.event === "version.ready";
          toast({
            tone: ready ? "good" : "bad",
            title: ready ? text.shell.versionReady(name) : text.shell.versionFailed(name),
            ...(version.error_message && { line: version.error_message.slice(0, 160) }),
            action: (
              <Link to="/models/$modelId" params={{ modelId: version.model_id }} search={{ version: version.id }} className="text-sm font-medium text-accent">
                {text.common.open}
              </Link>
            ),
          });
        } else if (frame.event === "job.succeeded" || frame.event === "job.failed") {
          if (["/jobs", "/run", "/dashboard"].some((prefix) => path.startsWith(prefix))) return;
          const good = frame.event === "job.succeeded";
          toast({
            tone: good ? "good" : "bad",
            title: good ? text.shell.jobSucceeded(jobName(object as Job)) : text.shell.jobFailed(jobName(object as Job)),
            ...(!good && (object as Job).error_message && { line: String((object as Job).error_message).slice(0, 160) }),
            action: (
              <Link to="/jobs/$jobId" params={{ jobId: object.id }} className="text-sm font-medium text-accent">
                {text.common.open}
              </Link>
            ),
          });
        }
      },
      [client],
    ),
  );
}

/** A new page begins where its content does, for keyboards and screen readers; the first one is left to the browser. */
function useFocusOnArrival() {
  const { pathname } = useLocation();
  const before = useRef(pathname);
  useEffect(() => {
    if (before.current === pathname) return;
    before.current = pathname;
    if (!document.querySelector("dialog[open]")) document.getElementById("content")?.focus({ preventScroll: true });
  }, [pathname]);
}

function useShortcuts(setPalette: (mode: "off" | "search" | "shortcuts") => void) {
  const navigate = useNavigate();
  useEffect(() => {
    let prefix = 0;
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        setPalette("search");
        return;
      }
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || target.closest("input, textarea, select, [contenteditable], dialog")) return;
      if (event.key === "?") setPalette("shortcuts");
      else if (event.key === "g") prefix = Date.now();
      else if (Date.now() - prefix < 1200) {
        prefix = 0;
        const to = ({ d: "/dashboard", m: "/models", r: "/run", j: "/jobs", a: "/account" } as const)[event.key];
        if (to) void navigate({ to });
      } else if (event.key === "n") void navigate({ to: "/models", search: { create: true } });
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [navigate, setPalette]);
}

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { api } from "@/shared/api/http";
import { messageOf } from "@/shared/api/problem";
import { meQuery } from "@/shared/api/queries";
import type { Json } from "@/shared/api/types";
import { bytes, shortId } from "@/shared/lib/format";
import { keys } from "@/shared/live/cache";
import { text } from "@/shared/text";
import { Button } from "@/shared/ui/button";
import { ErrorNote, PageHead, SkeletonRows, Time } from "@/shared/ui/misc";
import { Confirm } from "@/shared/ui/modal";
import { Tabs } from "@/shared/ui/tabs";
import { toast } from "@/shared/ui/toasts";

type Row = Record<string, Json>;
const words = text.admin;
const PATHS: Record<string, string> = { queue: "queue", workers: "workers", users: "users", dead: "dead-letters", disk: "disk" };

function rowsOf(answer: Json): Row[] {
  if (Array.isArray(answer)) return answer as Row[];
  if (typeof answer !== "object" || answer === null) return [];
  const list = Object.values(answer).find((value) => Array.isArray(value));
  if (list) return list as Row[];
  return Object.entries(answer).map(([name, value]): Row => (typeof value === "object" && value !== null && !Array.isArray(value) ? { name, ...value } : { name, value: value ?? null }));
}

export function AdminPage() {
  const { tab } = useSearch({ from: "/inside/admin" });
  const navigate = useNavigate({ from: "/admin" });
  const me = useQuery(meQuery);
  if (me.data && me.data.role !== "admin") return <p className="text-muted">{words.notYours}</p>;
  return (
    <>
      <PageHead title={words.title} />
      <Tabs
        label={words.tabsLabel}
        value={tab ?? "queue"}
        onChange={(next) => void navigate({ search: { tab: next }, replace: true })}
        tabs={Object.keys(PATHS).map((id) => ({ id, label: words.tabs[id], content: <Panel what={id} /> }))}
      />
    </>
  );
}

function Panel({ what }: { what: string }) {
  const client = useQueryClient();
  const found = useQuery({
    queryKey: keys.admin(what),
    queryFn: ({ signal }) => api.get<Json>(`/api/admin/${PATHS[what]}`, undefined, signal),
    // heartbeats are no events of a user, so nothing pushes them
    refetchInterval: 10_000,
    structuralSharing: true,
  });
  const redrive = useMutation({
    mutationFn: (id: string) => api.post(`/api/admin/dead-letters/${id}/redrive`),
    onSuccess: () => {
      toast({ tone: "good", title: words.redriven });
      void client.invalidateQueries({ queryKey: keys.admin("dead") });
    },
    onError: (error) => toast({ tone: "bad", title: text.common.failed, line: messageOf(error) }),
  });
  if (found.error) return <ErrorNote error={found.error} retry={() => void found.refetch()} />;
  if (found.data === undefined) return <SkeletonRows count={5} className="h-10" />;
  const rows = rowsOf(found.data);
  return (
    <div className="grid gap-6">
      <Table
        rows={rows}
        label={words.tabs[what] ?? what}
        empty={words.empty[what] ?? ""}
        {...(what === "dead" && {
          action: (row: Row) => (
            <Button size="sm" disabled={Boolean(row.redriven_at)} onClick={() => redrive.mutate(String(row.id))}>
              {words.redrive}
            </Button>
          ),
        })}
      />
      {what === "disk" && <CleanUp />}
    </div>
  );
}

function CleanUp() {
  const [asking, setAsking] = useState(false);
  const run = useMutation({ mutationFn: (dry: boolean) => api.post<Json>("/api/admin/cleanup", { dry_run: dry }), onSuccess: () => setAsking(false) });
  return (
    <section className="card grid gap-3 p-4">
      <h2>{words.cleanup}</h2>
      <p className="text-sm text-muted">{words.cleanupLine}</p>
      <div className="flex gap-2">
        <Button busy={run.isPending} onClick={() => run.mutate(true)}>
          {words.dryRun}
        </Button>
        {run.data !== undefined && (
          <Button kind="danger" onClick={() => setAsking(true)}>
            {words.cleanupDo}
          </Button>
        )}
      </div>
      {run.error && <ErrorNote error={run.error} />}
      {run.data !== undefined && <Table rows={rowsOf(run.data)} label={words.cleanup} empty={words.empty.disk ?? ""} />}
      <Confirm open={asking} onClose={() => setAsking(false)} onConfirm={() => run.mutate(false)} title={words.cleanupTitle} body={words.cleanupLine} action={words.cleanupDo} busy={run.isPending} />
    </section>
  );
}

function Cell({ name, value }: { name: string; value: Json | undefined }): ReactNode {
  if (value === null || value === undefined || value === "") return <span className="text-muted">–</span>;
  if (typeof value === "number" && /bytes|size/.test(name)) return <span className="tnum">{bytes(value)}</span>;
  if (typeof value === "number") return <span className="tnum">{value.toLocaleString("en")}</span>;
  if (typeof value === "string" && /_at$|_until$|^time$/.test(name)) return <Time at={value} />;
  if (typeof value === "string" && /^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(value)) return <code className="text-xs" title={value}>{shortId(value)}</code>;
  if (typeof value === "object") return <code className="text-xs">{JSON.stringify(value)}</code>;
  return String(value);
}

function Table({ rows, label, empty, action }: { rows: Row[]; label: string; empty: string; action?: (row: Row) => ReactNode }) {
  if (!rows.length) return <p className="card p-6 text-center text-sm text-muted">{empty}</p>;
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))].slice(0, 9);
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scroll area must be reachable by keyboard
    <div className="card overflow-x-auto" role="region" aria-label={label} tabIndex={0}>
      <table className="w-full text-sm">
        <thead className="bg-sunken text-left text-xs text-muted">
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col" className="px-3 py-2 font-medium whitespace-nowrap">
                {column.replaceAll("_", " ")}
              </th>
            ))}
            {action && <th scope="col" className="px-3 py-2 font-medium">{words.actions}</th>}
          </tr>
        </thead>
        <tbody className="divide-y divide-line">
          {rows.map((row, i) => (
            <tr key={String(row.id ?? i)}>
              {columns.map((column) => (
                <td key={column} className="max-w-72 truncate px-3 py-2 whitespace-nowrap">
                  <Cell name={column} value={row[column]} />
                </td>
              ))}
              {action && <td className="px-3 py-1.5">{action(row)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

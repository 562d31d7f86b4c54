import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { api } from "@/shared/api/http";
import { messageOf } from "@/shared/api/problem";
import { bytes, duration, percent } from "@/shared/lib/format";
import { keys } from "@/shared/live/cache";
import { text } from "@/shared/text";
import { Button } from "@/shared/ui/button";
import { ErrorNote, Time } from "@/shared/ui/misc";
import { Confirm } from "@/shared/ui/modal";
import { toast } from "@/shared/ui/toasts";
import { type CleanedUp, diskQuery } from "../queries";
import { Table } from "./table";

const words = text.admin;

export function DiskPanel() {
  const disk = useQuery(diskQuery);
  const used = disk.data ? disk.data.disk_bytes - disk.data.free_bytes : 0;
  return (
    <div className="grid gap-6">
      {disk.data && (
        <section className="card grid gap-2 p-4" aria-label={words.room}>
          <p className="flex flex-wrap justify-between gap-x-4 text-sm">
            <span className="font-medium">{words.roomUsed(bytes(used), bytes(disk.data.disk_bytes))}</span>
            <span className="text-muted">
              {words.roomFree(bytes(disk.data.free_bytes))} · {words.measured} <Time at={disk.data.measured_at} />
            </span>
          </p>
          <div
            role="meter"
            aria-label={words.room}
            aria-valuemin={0}
            aria-valuemax={100}
            aria-valuenow={Math.round((100 * used) / Math.max(1, disk.data.disk_bytes))}
            aria-valuetext={percent(used, disk.data.disk_bytes)}
            className="h-2 overflow-hidden rounded-full bg-sunken"
          >
            <div className={`h-full ${used > 0.9 * disk.data.disk_bytes ? "bg-bad" : "bg-accent"}`} style={{ width: percent(used, disk.data.disk_bytes).replace(" ", "") }} />
          </div>
        </section>
      )}
      <Table
        label={words.tabs.disk ?? ""}
        rows={disk.data?.items}
        error={disk.error}
        retry={() => void disk.refetch()}
        id={(row) => row.id}
        empty={words.empty.disk ?? ""}
        columns={[
          {
            title: text.jobs.columns.model,
            cell: (row) => (
              <Link to="/models/$modelId" params={{ modelId: row.id }} className="font-medium hover:underline">
                {row.name}
              </Link>
            ),
          },
          { title: words.owner, cell: (row) => row.owner },
          { title: words.versionsCount, cell: (row) => row.versions, number: true, spare: true },
          { title: words.jobsCount, cell: (row) => row.jobs.toLocaleString("en"), number: true, spare: true },
          { title: words.packages, cell: (row) => bytes(row.package_bytes), number: true, spare: true },
          { title: words.images, cell: (row) => bytes(row.image_bytes), number: true, spare: true },
          { title: words.inputs, cell: (row) => bytes(row.input_bytes), number: true, spare: true },
          { title: words.outputs, cell: (row) => bytes(row.output_bytes), number: true, spare: true },
          { title: words.logs, cell: (row) => bytes(row.log_bytes), number: true, spare: true },
          { title: text.jobs.total, cell: (row) => <strong className="font-semibold">{bytes(row.total_bytes)}</strong>, number: true },
        ]}
      />
      <CleanUp />
    </div>
  );
}

/** Always looked at first, then done. */
function CleanUp() {
  const client = useQueryClient();
  const [asking, setAsking] = useState(false);
  const run = useMutation({
    mutationFn: (dry: boolean) => api.post<CleanedUp>("/api/admin/cleanup", { dry_run: dry }),
    onSuccess: (done) => {
      setAsking(false);
      if (done.dry_run) return;
      toast({ tone: "good", title: words.cleaned(done.items.length, bytes(done.total_bytes)) });
      void client.invalidateQueries({ queryKey: keys.admin("disk") });
    },
  });
  const found = run.data;
  return (
    <section className="card grid gap-3 p-4">
      <h2>{words.cleanup}</h2>
      <p className="text-sm text-muted">{words.cleanupLine}</p>
      <div className="flex flex-wrap gap-2">
        <Button busy={run.isPending} onClick={() => run.mutate(true)}>
          {words.dryRun}
        </Button>
        {found?.dry_run && found.items.length > 0 && (
          <Button kind="danger" onClick={() => setAsking(true)}>
            {words.cleanupDo}
          </Button>
        )}
      </div>
      {run.error && <ErrorNote error={run.error} />}
      {found && (
        <div className="grid gap-3" role="status">
          <p className="text-sm">{found.dry_run ? words.wouldGo(found.items.length, bytes(found.total_bytes)) : words.cleaned(found.items.length, bytes(found.total_bytes))}</p>
          {found.problems.map((problem) => (
            <p key={problem} className="text-sm text-warn">
              {problem}
            </p>
          ))}
          {found.items.length > 0 && (
            <Table
              label={words.cleanup}
              rows={found.items}
              id={(row) => `${row.kind} ${row.name}`}
              empty=""
              columns={[
                { title: words.kind, cell: (row) => row.kind },
                { title: text.models.name, cell: (row) => <code className="text-xs" title={row.name}>{row.name}</code> },
                { title: text.models.size, cell: (row) => bytes(row.bytes), number: true },
                { title: words.age, cell: (row) => duration(row.age_s * 1000), number: true },
                { title: words.reason, cell: (row) => row.reason },
              ]}
            />
          )}
        </div>
      )}
      <Confirm
        open={asking}
        onClose={() => setAsking(false)}
        onConfirm={() => run.mutate(false)}
        title={words.cleanupTitle}
        body={found ? words.wouldGo(found.items.length, bytes(found.total_bytes)) : words.cleanupLine}
        action={words.cleanupDo}
        busy={run.isPending}
        error={run.error ? messageOf(run.error) : null}
      />
    </section>
  );
}

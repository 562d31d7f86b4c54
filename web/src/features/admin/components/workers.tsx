import { useQuery } from "@tanstack/react-query";
import { text } from "@/shared/text";
import { Time } from "@/shared/ui/misc";
import { workersQuery, type WorkerRow } from "../queries";
import { Mark, Table } from "./table";

const words = text.admin;

/** Runners, builders and the rest, each by its last heartbeat. */
export function WorkersPanel() {
  const workers = useQuery(workersQuery);
  return (
    <Table
      label={words.tabs.workers ?? ""}
      rows={workers.data?.items}
      error={workers.error}
      retry={() => void workers.refetch()}
      id={(row) => row.id}
      empty={words.empty.workers ?? ""}
      columns={[
        { title: words.service, cell: (row) => <span className="font-medium">{row.service}</span> },
        { title: text.jobs.columns.status, cell: (row) => <State worker={row} /> },
        { title: words.slots, cell: (row) => (row.slots ? <Slots busy={row.busy} slots={row.slots} /> : "–") },
        { title: words.heartbeat, cell: (row) => (row.alive ? words.secondsAgo(row.silent_s) : <Time at={row.heartbeat_at} />) },
        { title: words.host, cell: (row) => row.host, spare: true },
        { title: words.pid, cell: (row) => row.pid, number: true, spare: true },
        { title: words.started, cell: (row) => <Time at={row.started_at} /> },
      ]}
    />
  );
}

function State({ worker }: { worker: WorkerRow }) {
  if (!worker.alive) return <Mark tone="bad">{words.silent}</Mark>;
  return <Mark tone={worker.state === "ready" ? "good" : "warn"}>{words.workerStates[worker.state] ?? worker.state}</Mark>;
}

function Slots({ busy, slots }: { busy: number; slots: number }) {
  return (
    <span className="inline-flex items-center gap-2 tnum">
      <span aria-hidden className="flex h-1.5 w-16 overflow-hidden rounded-full bg-sunken">
        <span className="bg-running" style={{ width: `${Math.min(100, (100 * busy) / slots)}%` }} />
      </span>
      {words.slotsBusy(busy, slots)}
    </span>
  );
}

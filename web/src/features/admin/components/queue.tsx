import { useQuery } from "@tanstack/react-query";
import { duration } from "@/shared/lib/format";
import type { JobStatus, VersionStatus } from "@/shared/api/types";
import { text } from "@/shared/text";
import { Section, Time } from "@/shared/ui/misc";
import { StatusBadge } from "@/shared/ui/status";
import { queueQuery } from "../queries";
import { Table } from "./table";

const words = text.admin;

/** What has not ended, and what waits on the bus. */
export function QueuePanel() {
  const queue = useQuery(queueQuery);
  const retry = () => void queue.refetch();
  return (
    <div className="grid gap-6">
      <Table
        label={words.tabs.queue ?? ""}
        rows={queue.data?.items}
        error={queue.error}
        retry={retry}
        id={(row) => `${row.noun} ${row.status}`}
        empty={words.empty.queue ?? ""}
        columns={[
          { title: words.what, cell: (row) => words.nouns[row.noun] ?? row.noun },
          { title: text.jobs.columns.status, cell: (row) => <StatusBadge status={row.status as JobStatus | VersionStatus} /> },
          { title: words.count, cell: (row) => row.count.toLocaleString("en"), number: true },
          { title: words.oldest, cell: (row) => <Time at={row.oldest_at} /> },
          { title: words.waited, cell: (row) => duration(row.oldest_s * 1000), number: true },
        ]}
      />
      {queue.data && (
        <Section title={words.bus}>
          {queue.data.consumers === null ? (
            <p role="alert" className="card p-4 text-sm text-warn">
              {words.busAway}
            </p>
          ) : (
            <Table
              label={words.bus}
              rows={queue.data.consumers}
              id={(row) => row.name}
              empty={words.noConsumers}
              columns={[
                { title: words.consumer, cell: (row) => <code className="text-xs">{row.name}</code> },
                { title: words.pending, cell: (row) => row.pending.toLocaleString("en"), number: true },
                { title: words.atWork, cell: (row) => row.ack_pending.toLocaleString("en"), number: true },
                { title: words.redelivered, cell: (row) => row.redelivered.toLocaleString("en"), number: true },
              ]}
            />
          )}
          {queue.data.unpublished_events > 0 && <p className="mt-3 text-sm text-warn">{words.unpublished(queue.data.unpublished_events)}</p>}
        </Section>
      )}
    </div>
  );
}

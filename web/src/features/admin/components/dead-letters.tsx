import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "@/shared/api/http";
import { messageOf } from "@/shared/api/problem";
import { shortId } from "@/shared/lib/format";
import { keys } from "@/shared/live/cache";
import { text } from "@/shared/text";
import { Button } from "@/shared/ui/button";
import { Time } from "@/shared/ui/misc";
import { toast } from "@/shared/ui/toasts";
import { type DeadLetter, deadLettersQuery } from "../queries";
import { Table } from "./table";

const words = text.admin;

/** Messages the bus gave up on; sending again re-emits the last event of their object. */
export function DeadLettersPanel() {
  const client = useQueryClient();
  const letters = useInfiniteQuery(deadLettersQuery);
  const act = useMutation({
    mutationFn: ({ letter, what }: { letter: DeadLetter; what: "redrive" | "dismiss" }) =>
      what === "redrive" ? api.post<unknown>(`/api/admin/dead-letters/${letter.id}/redrive`) : api.delete<unknown>(`/api/admin/dead-letters/${letter.id}`),
    onSuccess: (_, { what }) => {
      toast({ tone: "good", title: what === "redrive" ? words.redriven : words.dismissed });
      void client.invalidateQueries({ queryKey: keys.admin("dead") });
    },
    onError: (error) => toast({ tone: "bad", title: text.common.failed, line: messageOf(error) }),
  });
  return (
    <>
      <Table
        label={words.tabs.dead ?? ""}
        rows={letters.data?.pages.flatMap((page) => page.items)}
        error={letters.error}
        retry={() => void letters.refetch()}
        id={(row) => row.id}
        empty={words.empty.dead ?? ""}
        columns={[
          { title: words.what, cell: (row) => `${words.nouns[row.subject.split(".")[0] ?? ""] ?? row.kind} ${row.object_id ? shortId(row.object_id) : ""}` },
          { title: words.reason, cell: (row) => <span title={row.reason}>{row.reason || row.kind}</span> },
          { title: words.consumer, cell: (row) => <code className="text-xs">{row.consumer}</code> },
          { title: words.deliveries, cell: (row) => row.deliveries, number: true },
          { title: words.stateNow, cell: (row) => (row.status ? (text.status[row.status] ?? row.status) : words.goneNow) },
          { title: text.jobs.columns.created, cell: (row) => <Time at={row.created_at} /> },
        ]}
        actions={(row) => (
          <span className="inline-flex gap-1.5">
            <Button size="sm" disabled={row.redriven_at !== null || act.isPending} onClick={() => act.mutate({ letter: row, what: "redrive" })}>
              {row.redriven_at ? words.redrivenAlready : words.redrive}
            </Button>
            <Button size="sm" disabled={act.isPending} onClick={() => act.mutate({ letter: row, what: "dismiss" })}>
              {words.dismiss}
            </Button>
          </span>
        )}
      />
      {letters.hasNextPage && (
        <Button className="mt-4" busy={letters.isFetchingNextPage} onClick={() => void letters.fetchNextPage()}>
          {text.common.more}
        </Button>
      )}
    </>
  );
}

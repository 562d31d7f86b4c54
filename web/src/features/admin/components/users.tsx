import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/shared/api/http";
import { messageOf } from "@/shared/api/problem";
import { meQuery } from "@/shared/api/queries";
import { keys } from "@/shared/live/cache";
import { text } from "@/shared/text";
import { Button } from "@/shared/ui/button";
import { Time } from "@/shared/ui/misc";
import { Confirm } from "@/shared/ui/modal";
import { toast } from "@/shared/ui/toasts";
import { type AdminUser, type UserChange, usersQuery } from "../queries";
import { Mark, Table } from "./table";

const words = text.admin;
type Act = { user: AdminUser; what: "role" | "access" | "delete" };

export function UsersPanel() {
  const client = useQueryClient();
  const me = useQuery(meQuery).data;
  const users = useInfiniteQuery(usersQuery);
  const [asking, setAsking] = useState<Act | null>(null);
  const act = useMutation({
    mutationFn: ({ user, what }: Act) => {
      if (what === "delete") return api.delete<unknown>(`/api/admin/users/${user.id}`);
      const change: UserChange = what === "role" ? { role: user.role === "admin" ? "user" : "admin" } : { disabled: user.disabled_at === null };
      return api.patch<unknown>(`/api/admin/users/${user.id}`, change);
    },
    onSuccess: (_, { user, what }) => {
      setAsking(null);
      toast({ tone: "good", title: words.userDone[what](user.username, what === "role" ? user.role === "admin" : user.disabled_at !== null) });
      void client.invalidateQueries({ queryKey: keys.admin("users") });
    },
  });
  const ask = (user: AdminUser, what: Act["what"]) => {
    act.reset();
    setAsking({ user, what });
  };
  return (
    <>
      <Table
        label={words.tabs.users ?? ""}
        rows={users.data?.pages.flatMap((page) => page.items)}
        error={users.error}
        retry={() => void users.refetch()}
        id={(row) => row.id}
        empty={words.empty.users ?? ""}
        columns={[
          {
            title: words.account,
            cell: (row) => (
              <span className="grid min-w-40">
                <span className="truncate font-medium">{row.username}</span>
                <span className="truncate text-xs text-muted">{row.email}</span>
              </span>
            ),
          },
          { title: text.account.role, cell: (row) => text.account.roles[row.role] },
          { title: words.access, cell: (row) => (row.disabled_at ? <Mark tone="bad">{words.disabled}</Mark> : <Mark tone="good">{words.enabled}</Mark>) },
          { title: words.modelsCount, cell: (row) => row.models, number: true },
          { title: words.versionsCount, cell: (row) => row.versions, number: true },
          { title: words.jobsCount, cell: (row) => row.jobs.toLocaleString("en"), number: true },
          { title: text.account.since, cell: (row) => <Time at={row.created_at} /> },
        ]}
        actions={(row) =>
          row.id === me?.id ? (
            <span className="text-xs text-muted">{words.you}</span>
          ) : (
            <span className="inline-flex gap-1.5">
              <Button size="sm" onClick={() => ask(row, "role")}>
                {row.role === "admin" ? words.makeUser : words.makeAdmin}
              </Button>
              <Button size="sm" onClick={() => ask(row, "access")}>
                {row.disabled_at ? words.enable : words.disable}
              </Button>
              <Button size="sm" kind="danger" onClick={() => ask(row, "delete")}>
                {text.common.delete}
              </Button>
            </span>
          )
        }
      />
      {users.hasNextPage && (
        <Button className="mt-4" busy={users.isFetchingNextPage} onClick={() => void users.fetchNextPage()}>
          {text.common.more}
        </Button>
      )}
      {asking && (
        <Confirm
          open
          onClose={() => setAsking(null)}
          onConfirm={() => act.mutate(asking)}
          {...words.userAsk[asking.what](asking.user.username, asking.what === "role" ? asking.user.role === "admin" : asking.user.disabled_at !== null)}
          busy={act.isPending}
          error={act.error ? messageOf(act.error) : null}
        />
      )}
    </>
  );
}

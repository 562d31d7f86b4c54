import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { meQuery } from "@/shared/api/queries";
import { text } from "@/shared/text";
import { ErrorNote, PageHead, SkeletonRows } from "@/shared/ui/misc";
import { Tabs } from "@/shared/ui/tabs";
import { DeadLettersPanel } from "../components/dead-letters";
import { DiskPanel } from "../components/disk";
import { QueuePanel } from "../components/queue";
import { UsersPanel } from "../components/users";
import { WorkersPanel } from "../components/workers";

const words = text.admin;
const PANELS = { queue: QueuePanel, workers: WorkersPanel, users: UsersPanel, dead: DeadLettersPanel, disk: DiskPanel };

export function AdminPage() {
  const { tab } = useSearch({ from: "/inside/admin" });
  const navigate = useNavigate({ from: "/admin" });
  const me = useQuery(meQuery);
  // nothing is asked of the operator's routes before it is known that they answer
  if (!me.data) return me.error ? <ErrorNote error={me.error} retry={() => void me.refetch()} /> : <SkeletonRows count={5} className="h-10" />;
  if (me.data.role !== "admin") return <p className="text-muted">{words.notYours}</p>;
  return (
    <>
      <PageHead title={words.title} />
      <Tabs
        label={words.tabsLabel}
        value={tab && tab in PANELS ? tab : "queue"}
        onChange={(next) => void navigate({ search: { tab: next }, replace: true })}
        tabs={Object.entries(PANELS).map(([id, Content]) => ({ id, label: words.tabs[id], content: <Content /> }))}
      />
    </>
  );
}

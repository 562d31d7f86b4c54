import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { BookOpen, CloudUpload, Globe, Lock } from "lucide-react";
import { lazy, Suspense, useEffect, useState } from "react";
import { meQuery, modelQuery, modelVersionsQuery, versionQuery } from "@/shared/api/queries";
import type { Version } from "@/shared/api/types";
import { text } from "@/shared/text";
import { Button } from "@/shared/ui/button";
import { Empty, ErrorNote, PageHead, Skeleton, Time } from "@/shared/ui/misc";
import { StatusBadge } from "@/shared/ui/status";
import { Tabs } from "@/shared/ui/tabs";
import { ModelSettings } from "../components/settings";
import { UploadPanel } from "../components/upload-panel";
import { Usage } from "../components/usage";
import { VersionPanel } from "../components/version-panel";
import { useUpload } from "../uploads";

const Markdown = lazy(() => import("@/shared/ui/markdown").then((each) => ({ default: each.Markdown })));

export function ModelPage() {
  const { modelId } = useParams({ from: "/inside/models/$modelId" });
  const search = useSearch({ from: "/inside/models/$modelId" });
  const navigate = useNavigate({ from: "/models/$modelId" });
  const me = useQuery(meQuery);
  const model = useQuery(modelQuery(modelId));
  const versions = useQuery(modelVersionsQuery(modelId));
  const [uploading, setUploading] = useState(search.upload ?? false);
  useEffect(() => {
    if (search.upload) setUploading(true);
  }, [search.upload]);
  const upload = useUpload(modelId);
  if (model.error) return <ErrorNote error={model.error} retry={() => void model.refetch()} />;
  if (!model.data || !versions.data || !me.data) {
    return versions.error ? <ErrorNote error={versions.error} retry={() => void versions.refetch()} /> : <Waiting />;
  }
  const mine = model.data.owner_id === me.data.id;
  const items = versions.data.items;
  const shown = items.find((each) => each.id === search.version) ?? items.find((each) => each.status !== "UPLOADING") ?? items[0];
  const ready = items.find((each) => each.status === "READY");
  const select = (version: string | undefined) =>
    void navigate({ search: (old) => ({ ...(old.tab && { tab: old.tab }), ...(version && { version }) }), replace: true });
  const showUpload = mine && (uploading || upload !== null || items.length === 0);
  const build = (
    <div className="grid gap-6 lg:grid-cols-[16rem_minmax(0,1fr)]">
      <div className="grid min-w-0 content-start gap-3">
        {mine && items.length > 0 && !showUpload && (
          <Button icon={<CloudUpload size={16} aria-hidden />} onClick={() => setUploading(true)}>
            {text.models.upload}
          </Button>
        )}
        {items.length > 0 && <VersionList items={items} shown={shown?.id} onSelect={select} />}
        {!mine && <p className="text-sm text-muted">{text.models.readOnly}</p>}
      </div>
      <div className={`grid min-w-0 grid-cols-[minmax(0,1fr)] content-start gap-6 ${items.length ? "" : "lg:col-span-2 lg:row-start-1"}`}>
        {showUpload && (
          <section aria-label={text.models.upload} className="grid max-w-2xl gap-3">
            <h2>{items.length ? text.models.upload : text.models.uploadFirst}</h2>
            <UploadPanel
              modelId={modelId}
              versions={items}
              onStarted={(id) => {
                setUploading(false);
                select(id);
              }}
            />
          </section>
        )}
        {shown && <VersionPanel key={shown.id} versionId={shown.id} mine={mine} onDeleted={() => select(undefined)} />}
      </div>
    </div>
  );
  const Seen = model.data.is_public ? Globe : Lock;
  return (
    <>
      <PageHead
        crumbs={[
          <Link key="m" to="/models" className="hover:text-text">
            {text.models.title}
          </Link>,
        ]}
        title={model.data.name}
        aside={
          <span className="inline-flex items-center gap-1.5 text-sm text-muted">
            <Seen size={14} aria-hidden />
            {model.data.is_public ? text.common.public : text.common.private}
            {!mine && ` · ${text.models.by(model.data.owner)}`}
          </span>
        }
      >
        {model.data.description && <p className="max-w-2xl break-words whitespace-pre-line text-muted">{model.data.description}</p>}
      </PageHead>
      <Tabs
        label={text.models.tabsLabel}
        value={search.tab ?? "build"}
        onChange={(tab) => void navigate({ search: (old) => ({ ...old, tab }), replace: true })}
        tabs={[
          { id: "build", label: text.models.tabs.build, content: build },
          { id: "usage", label: text.models.tabs.usage, content: <Usage version={shown?.status === "READY" ? shown : ready} username={me.data.username} /> },
          { id: "card", label: text.models.tabs.card, content: <Card versionId={(ready ?? shown)?.id} /> },
          ...(mine ? [{ id: "settings", label: text.models.tabs.settings, content: <ModelSettings key={modelId} model={model.data} /> }] : []),
        ]}
      />
    </>
  );
}

function VersionList({ items, shown, onSelect }: { items: Version[]; shown: string | undefined; onSelect: (id: string) => void }) {
  return (
    <nav aria-label={text.models.versions} className="card overflow-hidden max-lg:max-h-56 max-lg:overflow-y-auto">
      <ul className="divide-y divide-line">
        {items.map((version) => (
          <li key={version.id}>
            <button
              type="button"
              aria-current={version.id === shown ? "true" : undefined}
              onClick={() => onSelect(version.id)}
              className="grid w-full gap-1 px-3 py-2.5 text-left transition-colors hover:bg-sunken aria-[current]:bg-accent-soft"
            >
              <span className="flex items-center justify-between gap-2">
                <span className="truncate font-mono text-sm font-medium">{version.version_number}</span>
                <StatusBadge status={version.status} />
              </span>
              <Time at={version.created_at} className="text-xs text-muted" />
            </button>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function Card({ versionId }: { versionId: string | undefined }) {
  const version = useQuery({ ...versionQuery(versionId ?? ""), enabled: Boolean(versionId) });
  const readme = version.data?.readme;
  if (version.isLoading) return <Skeleton className="h-64" />;
  if (!readme) return <Empty icon={<BookOpen aria-hidden />} title={text.models.cardEmpty} line={text.models.cardEmptyLine} />;
  return (
    <div className="card max-w-3xl p-6">
      <Suspense fallback={<Skeleton className="h-64" />}>
        <Markdown source={readme} />
      </Suspense>
    </div>
  );
}

function Waiting() {
  return (
    <div role="status" aria-label={text.common.loading} className="grid gap-4">
      <Skeleton className="h-7 w-64" />
      <Skeleton className="h-9 w-80" />
      <div className="grid gap-6 lg:grid-cols-[16rem_minmax(0,1fr)]">
        <Skeleton className="h-40" />
        <Skeleton className="h-96" />
      </div>
    </div>
  );
}

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Ban, Play, Trash2 } from "lucide-react";
import { useState } from "react";
import { api } from "@/shared/api/http";
import { messageOf } from "@/shared/api/problem";
import { versionQuery } from "@/shared/api/queries";
import type { Version } from "@/shared/api/types";
import { bytes, duration, shortDigest } from "@/shared/lib/format";
import { keys } from "@/shared/live/cache";
import { useLog } from "@/shared/live/use-log";
import { text } from "@/shared/text";
import { Button, buttonClass, IconButton } from "@/shared/ui/button";
import { Failure } from "@/shared/ui/failure";
import { LogView } from "@/shared/ui/log";
import { CopyButton, ErrorNote, Facts, Id, SkeletonRows, Time } from "@/shared/ui/misc";
import { Confirm } from "@/shared/ui/modal";
import { StatusBadge } from "@/shared/ui/status";
import { useFreshPhases } from "../phases";
import { Stepper } from "./stepper";

export function VersionPanel({ versionId, mine, onDeleted }: { versionId: string; mine: boolean; onDeleted: () => void }) {
  const version = useQuery(versionQuery(versionId));
  if (version.error) return <ErrorNote error={version.error} retry={() => void version.refetch()} />;
  if (!version.data) return <SkeletonRows count={3} className="h-28" />;
  return <Loaded version={version.data} mine={mine} onDeleted={onDeleted} />;
}

function Loaded({ version, mine, onDeleted }: { version: Version; mine: boolean; onDeleted: () => void }) {
  const client = useQueryClient();
  const [asking, setAsking] = useState<"cancel" | "delete" | null>(null);
  const building = version.status === "QUEUED" || version.status === "BUILDING";
  const act = useMutation({
    mutationFn: (what: "cancel" | "delete") =>
      what === "cancel" ? api.post(`/api/models/versions/${version.id}/cancel`) : api.delete(`/api/models/versions/${version.id}`),
    onSuccess: (_, what) => {
      setAsking(null);
      void client.invalidateQueries({ queryKey: keys.modelVersions(version.model_id) });
      if (what === "delete") onDeleted();
    },
  });
  const took = (version.phases ?? []).reduce((sum, phase) => sum + (phase.ms ?? 0), 0);
  return (
    <article className="grid grid-cols-[minmax(0,1fr)] gap-4" aria-label={`${text.models.version} ${version.version_number}`}>
      <header className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <h2 className="font-mono text-lg break-all">{version.version_number}</h2>
        <StatusBadge status={version.status} />
        {version.status === "READY" && took > 0 && <span className="text-sm text-muted tnum">{text.models.tookBuild(duration(took))}</span>}
        <div className="ml-auto flex items-center gap-1">
          {version.status === "READY" && (
            <Link to="/run" search={{ model: version.model_id, version: version.id, ...(version.model_name === text.models.exampleName && { sample: true }) }} className={buttonClass("primary")}>
              <Play size={15} aria-hidden />
              {text.models.runVersion}
            </Link>
          )}
          {mine && building && (
            <Button icon={<Ban size={15} aria-hidden />} onClick={() => setAsking("cancel")}>
              {text.models.cancelBuild}
            </Button>
          )}
          {mine && !building && (
            <IconButton label={text.models.deleteVersion} onClick={() => setAsking("delete")}>
              <Trash2 size={16} aria-hidden />
            </IconButton>
          )}
        </div>
      </header>
      <Stepper version={version} />
      {version.status === "UPLOADING" && mine && <p className="text-sm text-muted">{text.models.neverArrived}</p>}
      {version.status === "QUEUED" && <p className="text-sm text-muted">{text.models.queued}</p>}
      {version.error_code && version.status === "FAILED" && <Failure code={version.error_code} message={version.error_message ?? ""} title={text.models.errorTitle} />}
      {mine ? <BuildLog version={version} running={building} /> : <p className="text-sm text-muted">{text.models.logHidden}</p>}
      <div className="card p-4">
        <Facts
          rows={[
            [text.models.created, <Time key="t" at={version.created_at} />],
            [text.common.id, <Id key="id" id={version.id} />],
            ...(version.docker_image_digest
              ? [[text.models.digest, <Digest key="d" value={version.docker_image_digest} />] as [string, React.ReactNode]]
              : []),
            ...(version.package_sha256
              ? [[text.models.package, <Digest key="p" value={`sha256:${version.package_sha256}`} />] as [string, React.ReactNode]]
              : []),
            ...(version.image_bytes ? [[text.models.size, bytes(version.image_bytes)] as [string, React.ReactNode]] : []),
          ]}
        />
      </div>
      <Confirm
        open={asking !== null}
        onClose={() => setAsking(null)}
        onConfirm={() => asking && act.mutate(asking)}
        title={asking === "cancel" ? text.models.cancelTitle : text.models.deleteVersionTitle(version.version_number)}
        body={asking === "cancel" ? text.models.cancelBody : text.models.deleteVersionBody}
        action={asking === "cancel" ? text.models.cancelBuild : text.models.deleteVersion}
        busy={act.isPending}
        error={act.error ? messageOf(act.error) : null}
      />
    </article>
  );
}

function Digest({ value }: { value: string }) {
  return (
    <CopyButton value={value} label={text.common.copy}>
      <code className="text-xs">{shortDigest(value)}</code>
    </CopyButton>
  );
}

function BuildLog({ version, running }: { version: Version; running: boolean }) {
  const started = version.status !== "UPLOADING";
  const { lines, times, error } = useLog(`version:${version.id}`, running, started);
  useFreshPhases(version, lines, running);
  // until the first live line comes, the bounded tail of the row is better than nothing
  const shown = lines.length || !version.build_logs ? lines : version.build_logs.split("\n");
  return (
    <div className="grid gap-2">
      <LogView lines={shown} times={times} live={running} name={`build-${version.version_number}.log`} label={text.models.buildLog} empty={text.models.noLog} />
      {error !== null && error !== undefined && <p className="text-sm text-muted">{messageOf(error)}</p>}
    </div>
  );
}

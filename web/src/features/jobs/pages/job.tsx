import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { Ban, RotateCcw, Trash2 } from "lucide-react";
import { useState } from "react";
import { api } from "@/shared/api/http";
import { messageOf } from "@/shared/api/problem";
import { jobQuery, modelQuery, versionQuery } from "@/shared/api/queries";
import { runAgain } from "@/shared/api/run";
import type { Job } from "@/shared/api/types";
import { bytes, shortDigest, shortId } from "@/shared/lib/format";
import { keys } from "@/shared/live/cache";
import { text } from "@/shared/text";
import { Button, IconButton } from "@/shared/ui/button";
import { CopyButton, ErrorNote, Facts, Id, PageHead, Section, Skeleton, Time } from "@/shared/ui/misc";
import { Confirm } from "@/shared/ui/modal";
import { StatusBadge } from "@/shared/ui/status";
import { JobResult } from "@/shared/viewer/result";
import { Timeline } from "../components/timeline";

export function JobPage() {
  const { jobId } = useParams({ from: "/inside/jobs/$jobId" });
  const job = useQuery(jobQuery(jobId));
  if (job.error) return <ErrorNote error={job.error} retry={() => void job.refetch()} />;
  if (!job.data) {
    return (
      <div role="status" aria-label={text.common.loading} className="grid gap-5">
        <Skeleton className="h-7 w-56" />
        <Skeleton className="h-20" />
        <Skeleton className="h-96" />
      </div>
    );
  }
  return <Loaded key={jobId} job={job.data} />;
}

function Loaded({ job }: { job: Job }) {
  const navigate = useNavigate();
  const version = useQuery(versionQuery(job.version_id));
  const model = useQuery({ ...modelQuery(version.data?.model_id ?? ""), enabled: Boolean(version.data) });
  const client = useQueryClient();
  const [asking, setAsking] = useState<"cancel" | "delete" | null>(null);
  const open = job.status === "QUEUED" || job.status === "RUNNING";
  const act = useMutation({
    mutationFn: (what: "cancel" | "delete") => (what === "cancel" ? api.post(`/api/jobs/${job.id}/cancel`) : api.delete(`/api/jobs/${job.id}`)),
    onSuccess: async (_, what) => {
      setAsking(null);
      if (what === "cancel") return;
      await navigate({ to: "/jobs", search: {} });
      client.removeQueries({ queryKey: keys.job(job.id) });
      void client.invalidateQueries({ queryKey: ["jobs"] });
    },
  });
  const rerun = useMutation({
    mutationFn: () => runAgain(job.id),
    onSuccess: (jobId) => navigate({ to: "/jobs/$jobId", params: { jobId } }),
  });
  const hash = (value: string | null | undefined) =>
    value ? (
      <CopyButton value={value} label={text.common.copy}>
        <code className="text-xs">{shortDigest(value)}</code>
      </CopyButton>
    ) : (
      "–"
    );
  return (
    <>
      <PageHead
        tab={text.jobs.job(shortId(job.id))}
        crumbs={[
          <Link key="j" to="/jobs" search={{}} className="hover:text-text">
            {text.jobs.title}
          </Link>,
          ...(model.data
            ? [
                <Link key="m" to="/models/$modelId" params={{ modelId: model.data.id }} search={{ version: job.version_id }} className="hover:text-text">
                  {model.data.name} {version.data?.version_number}
                </Link>,
              ]
            : []),
        ]}
        title={
          <span className="flex flex-wrap items-center gap-3">
            {text.jobs.job(shortId(job.id))}
            <StatusBadge status={job.status} />
          </span>
        }
        aside={
          open ? (
            <Button icon={<Ban size={15} aria-hidden />} onClick={() => setAsking("cancel")}>
              {text.jobs.cancel}
            </Button>
          ) : (
            <>
              <Button icon={<RotateCcw size={15} aria-hidden />} busy={rerun.isPending} onClick={() => rerun.mutate()}>
                {text.jobs.rerun}
              </Button>
              <IconButton label={text.jobs.delete} onClick={() => setAsking("delete")}>
                <Trash2 size={16} aria-hidden />
              </IconButton>
            </>
          )
        }
      />
      <div className="grid gap-6">
        {rerun.error && <ErrorNote error={rerun.error} />}
        <Section title={text.jobs.timeline}>
          <Timeline job={job} />
        </Section>
        <JobResult jobId={job.id} failedTitle={text.jobs.failedTitle} />
        <Section title={text.jobs.provenance}>
          <div className="card p-4">
            <Facts
              rows={[
                [text.common.id, <Id key="id" id={job.id} />],
                [text.jobs.imageDigest, hash(version.data?.docker_image_digest)],
                [text.jobs.packageHash, hash(version.data?.package_sha256 && `sha256:${version.data.package_sha256}`)],
                [text.jobs.inputHash, hash(job.input_sha256 && `sha256:${job.input_sha256}`)],
                [text.jobs.inputSize, job.input_size ? `${bytes(job.input_size)} ${job.input_type ?? ""}` : "–"],
                ...(job.params && Object.keys(job.params).length
                  ? [[text.jobs.params, <code key="p" className="text-xs">{JSON.stringify(job.params)}</code>] as [string, React.ReactNode]]
                  : []),
                [text.jobs.created, <Time key="c" at={job.created_at} />],
                [text.jobs.finished, <Time key="f" at={job.finished_at ?? (open ? null : job.updated_at)} />],
              ]}
            />
          </div>
        </Section>
      </div>
      <Confirm
        open={asking !== null}
        onClose={() => setAsking(null)}
        onConfirm={() => asking && act.mutate(asking)}
        title={asking === "delete" ? text.jobs.deleteTitle : text.jobs.cancelTitle}
        body={asking === "delete" ? text.jobs.deleteBody : text.jobs.cancelBody}
        action={asking === "delete" ? text.jobs.delete : text.jobs.cancel}
        busy={act.isPending}
        error={act.error ? messageOf(act.error) : null}
      />
    </>
  );
}

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Globe, Lock } from "lucide-react";
import { meQuery, modelVersionsQuery } from "@/shared/api/queries";
import type { Model } from "@/shared/api/types";
import { text } from "@/shared/text";
import { Skeleton, Time } from "@/shared/ui/misc";
import { StatusBadge } from "@/shared/ui/status";

export function ModelCard({ model }: { model: Model }) {
  const versions = useQuery(modelVersionsQuery(model.id));
  const me = useQuery(meQuery).data;
  const latest = versions.data?.items[0];
  // a failed or running build takes nothing away from the version before it
  const usable = latest && latest.status !== "READY" ? versions.data?.items.find((each) => each.status === "READY") : undefined;
  const Seen = model.is_public ? Globe : Lock;
  return (
    <Link
      to="/models/$modelId"
      params={{ modelId: model.id }}
      className="card grid h-40 grid-rows-[auto_1fr_auto] gap-2 p-4 transition-colors hover:border-line-strong"
    >
      <div className="flex items-start justify-between gap-3">
        <h2 className="line-clamp-1 text-lg break-all">{model.name}</h2>
        <Seen size={15} className="mt-1 shrink-0 text-muted" aria-label={model.is_public ? text.common.public : text.common.private} />
      </div>
      <p className="line-clamp-2 text-sm break-words text-muted">
        {me && model.owner_id !== me.id && <span className="mr-1.5 font-medium">{text.models.by(model.owner)}</span>}
        {model.description}
      </p>
      <div className="flex items-center justify-between gap-3 text-sm text-muted">
        {versions.isLoading ? (
          <Skeleton className="h-6 w-24" />
        ) : latest ? (
          <span className="flex min-w-0 items-center gap-2">
            <StatusBadge status={latest.status} />
            <span className="truncate font-mono text-xs">{latest.version_number}</span>
            {usable && <span className="truncate text-xs">{text.models.usable(usable.version_number)}</span>}
          </span>
        ) : (
          <span>{text.models.noVersion}</span>
        )}
        <Time at={latest?.updated_at ?? model.created_at} className="shrink-0 text-xs" short />
      </div>
    </Link>
  );
}

import { Ban, CheckCircle2, CircleDashed, CloudUpload, Loader2, XCircle } from "lucide-react";
import type { JobStatus, VersionStatus } from "@/shared/api/types";
import { text } from "@/shared/text";

type Status = JobStatus | VersionStatus;

const LOOK: Record<Status, { icon: typeof Ban; tone: string; spin?: boolean }> = {
  UPLOADING: { icon: CloudUpload, tone: "text-muted bg-sunken" },
  QUEUED: { icon: CircleDashed, tone: "text-warn bg-warn-soft" },
  BUILDING: { icon: Loader2, tone: "text-running bg-running-soft", spin: true },
  RUNNING: { icon: Loader2, tone: "text-running bg-running-soft", spin: true },
  READY: { icon: CheckCircle2, tone: "text-good bg-good-soft" },
  SUCCEEDED: { icon: CheckCircle2, tone: "text-good bg-good-soft" },
  FAILED: { icon: XCircle, tone: "text-bad bg-bad-soft" },
  CANCELED: { icon: Ban, tone: "text-muted bg-sunken" },
};

export const OPEN_STATUS: readonly string[] = ["UPLOADING", "QUEUED", "BUILDING", "RUNNING"];

/** Icon, word and colour together: a state is never colour alone. */
export function StatusBadge({ status, className = "" }: { status: Status; className?: string }) {
  const look = LOOK[status] ?? LOOK.UPLOADING;
  const Icon = look.icon;
  return (
    <span
      className={`inline-flex h-6 shrink-0 items-center gap-1.5 rounded-full px-2.5 text-xs font-medium ${look.tone} ${className}`}
    >
      <Icon size={13} aria-hidden className={look.spin ? "animate-spin [animation-duration:2s]" : ""} />
      {text.status[status] ?? status}
    </span>
  );
}

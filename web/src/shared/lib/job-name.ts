import type { Job } from "@/shared/api/types";
import { shortId } from "@/shared/lib/format";
import { text } from "@/shared/text";

/** "Lung nodules 1.3.2", or the job's id where an event did not carry the names. */
export function jobName(job: Job): string {
  return job.model_name ? `${job.model_name} ${job.version_number ?? ""}`.trim() : text.jobs.job(shortId(job.id));
}

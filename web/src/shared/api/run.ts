import { rememberInput } from "@/shared/lib/inputs";
import { persistently, put } from "@/shared/lib/upload";
import { api } from "./http";
import type { Job, Json } from "./types";

export interface Started {
  job_id: string;
  upload_url: string;
}

/** Create a job, send its input, run it. `made` hears of the job before the upload begins. */
export async function runJob(versionId: string, file: File, params: Record<string, Json> | null, made?: (jobId: string) => void, onSent?: (share: number) => void): Promise<string> {
  const started = await api.post<Started>("/api/jobs/", { version_id: versionId, ...(params && { params }) });
  rememberInput(started.job_id, file);
  made?.(started.job_id);
  await persistently(() => put(started.upload_url, file, (bytes) => onSent?.(bytes / Math.max(1, file.size))));
  await api.post<Job>(`/api/jobs/${started.job_id}/run`);
  return started.job_id;
}

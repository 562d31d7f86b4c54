import { fetchBlob } from "@/shared/lib/blobs";
import { inputOf, rememberInput } from "@/shared/lib/inputs";
import { persistently, put } from "@/shared/lib/upload";
import { text } from "@/shared/text";
import { api } from "./http";
import type { Job, JobUpload, Json } from "./types";

/** Create a job, send its input, run it. `made` hears of the job before the upload begins. */
export async function runJob(versionId: string, file: File, params: Record<string, Json> | null, made?: (jobId: string) => void, onSent?: (share: number) => void): Promise<string> {
  const started = await api.post<JobUpload>("/api/jobs/", { version_id: versionId, ...(params && { params }) });
  rememberInput(started.job_id, file);
  made?.(started.job_id);
  await persistently(() => put(started.upload_url, file, (bytes) => onSent?.(bytes / Math.max(1, file.size))));
  await api.post<Job>(`/api/jobs/${started.job_id}/run`);
  return started.job_id;
}

/** The input of an earlier job: from this tab's memory, else from storage. Throws where neither has it. */
export async function inputFile(job: Pick<Job, "id" | "input_url" | "input_type">): Promise<File> {
  const kept = inputOf(job.id);
  if (kept) return kept;
  if (!job.input_url) throw new Error(text.jobs.rerunNoInput);
  return new File([await fetchBlob(job.input_url)], `input-${job.id.slice(-8)}`, { type: job.input_type ?? "" });
}

/** Run the input of an earlier job again, with its parameters. Returns the new job's id. */
export async function runAgain(jobId: string): Promise<string> {
  // the list leaves out the input's address, and an address is signed for a while only
  const job = await api.get<Job>(`/api/jobs/${jobId}`);
  const params = job.params && Object.keys(job.params).length ? job.params : null;
  return runJob(job.version_id, await inputFile(job), params);
}

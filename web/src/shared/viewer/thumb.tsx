import { useQuery } from "@tanstack/react-query";
import { Image } from "lucide-react";
import { outputsQuery } from "@/shared/api/queries";
import type { Job } from "@/shared/api/types";
import { canShow } from "./bitmaps";

/** The first output image of a job, small. */
export function JobThumb({ job, size = "size-10" }: { job: Job; size?: string }) {
  const outputs = useQuery({ ...outputsQuery(job.id), enabled: job.status === "SUCCEEDED" });
  const first = outputs.data?.outputs.find((output) => canShow(output.content_type) && output.size < 4_000_000);
  return first ? (
    <img src={first.url} alt="" loading="lazy" className={`checker ${size} rounded object-cover`} />
  ) : (
    <span className={`grid ${size} place-items-center rounded bg-sunken text-muted`}>
      <Image size={16} aria-hidden />
    </span>
  );
}

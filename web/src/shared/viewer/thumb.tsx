import { useQuery } from "@tanstack/react-query";
import { Image } from "lucide-react";
import { useEffect, useState } from "react";
import { outputsQuery } from "@/shared/api/queries";
import type { Job } from "@/shared/api/types";
import { canShow } from "./bitmaps";

const SETTLE_MS = 150;
const MAX_BYTES = 4_000_000;

/** The first output image of a job, small. A row that only flies past while somebody scrolls asks for nothing. */
export function JobThumb({ job, size = "size-10" }: { job: Job; size?: string }) {
  const [settled, setSettled] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(true), SETTLE_MS);
    return () => clearTimeout(timer);
  }, []);
  const outputs = useQuery({ ...outputsQuery(job.id), enabled: settled && job.status === "SUCCEEDED" && job.output_count !== 0 });
  const first = outputs.data?.outputs.find((output) => canShow(output.content_type) && output.size < MAX_BYTES);
  return first ? (
    <img src={first.url} alt="" loading="lazy" className={`checker ${size} rounded object-cover`} />
  ) : (
    <span className={`grid ${size} place-items-center rounded bg-sunken text-muted`}>
      <Image size={16} aria-hidden />
    </span>
  );
}

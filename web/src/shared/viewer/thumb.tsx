import { useQuery } from "@tanstack/react-query";
import { Image } from "lucide-react";
import { useEffect, useState } from "react";
import { outputsQuery } from "@/shared/api/queries";
import type { Job } from "@/shared/api/types";
import { pictures } from "./bitmaps";

const SETTLE_MS = 150;
const MAX_BYTES = 4_000_000;

interface Props {
  job: Job;
  size?: string;
}

/** The first output image of a job, small. A row that only flies past while somebody scrolls asks for nothing. */
export function JobThumb({ job, size = "size-10" }: Props) {
  const [settled, setSettled] = useState(false);
  const any = job.status === "SUCCEEDED" && job.output_count !== 0;
  useEffect(() => {
    if (!any) return;
    const timer = setTimeout(() => setSettled(true), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [any]);
  return any && settled ? <Settled job={job} size={size} /> : <Blank size={size} />;
}

function Settled({ job, size }: Required<Props>) {
  const outputs = useQuery(outputsQuery(job.id));
  const first = pictures(outputs.data?.outputs ?? []).find((output) => output.size < MAX_BYTES);
  return first ? <img src={first.url} alt="" loading="lazy" className={`checker ${size} rounded object-cover`} /> : <Blank size={size} />;
}

function Blank({ size }: { size: string }) {
  return (
    <span className={`grid ${size} place-items-center rounded bg-sunken text-muted`}>
      <Image size={16} aria-hidden />
    </span>
  );
}

import { useQuery } from "@tanstack/react-query";
import { Image } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { outputsQuery } from "@/shared/api/queries";
import type { Job } from "@/shared/api/types";
import { pictures } from "./bitmaps";

const SETTLE_MS = 150;
const TRIES = 3;
const AGAIN_MS = 1_000;
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
  return first ? <Picture url={first.url} className={size} otherwise={<Blank size={size} />} /> : <Blank size={size} />;
}

/** A small picture that is asked for again when it did not come, and gives way when it does not come at all. */
export function Picture({ url, className, otherwise }: { url: string; className: string; otherwise: ReactNode }) {
  const [tries, setTries] = useState(1);
  const [waiting, setWaiting] = useState(false);
  useEffect(() => {
    if (!waiting) return;
    const timer = setTimeout(() => {
      setTries((old) => old + 1);
      setWaiting(false);
    }, AGAIN_MS * tries);
    return () => clearTimeout(timer);
  }, [waiting, tries]);
  if (waiting || tries > TRIES) return otherwise;
  return <img key={tries} src={url} alt="" loading="lazy" onError={() => setWaiting(true)} className={`checker ${className} shrink-0 rounded object-cover`} />;
}

function Blank({ size }: { size: string }) {
  return (
    <span className={`grid ${size} place-items-center rounded bg-sunken text-muted`}>
      <Image size={16} aria-hidden />
    </span>
  );
}

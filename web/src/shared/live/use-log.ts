import { useQuery } from "@tanstack/react-query";
import { storedLogQuery } from "@/shared/api/queries";
import { useLiveLog } from "./live";

/** The log of `version:<id>` or `job:<id>`: live lines while it runs, the stored whole once it ended. */
export function useLog(topic: string, running: boolean, readable = true): { lines: string[]; times: number[]; loading: boolean; error: unknown } {
  const { lines: live, times } = useLiveLog(running && readable ? topic : null);
  const stored = useQuery({ ...storedLogQuery(topic), enabled: !running && readable });
  // the live lines stay until the stored log is there, so that nothing blinks
  const lines = !running && stored.data && stored.data.length >= live.length ? stored.data : live;
  return { lines, times, loading: !running && stored.isLoading, error: stored.error };
}

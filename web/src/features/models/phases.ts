import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import type { Version } from "@/shared/api/types";
import { keys } from "@/shared/live/cache";

/** The builder writes its progress into the row once a second; a moment later the row has it. */
const NOTED_MS = 1_200;
const HEAD = /^== /;

/** How many steps the log has headed. */
export function headings(lines: readonly string[]): number {
  return lines.reduce((count, line) => count + (HEAD.test(line) ? 1 : 0), 0);
}

/**
 * Read the version again when its log heads a new step: steps are no events of their own, and each takes its time from
 * the row.
 */
export function useFreshPhases(version: Version, lines: readonly string[], running: boolean): void {
  const client = useQueryClient();
  const count = running ? headings(lines) : 0;
  useEffect(() => {
    if (!count) return;
    const timer = setTimeout(() => void client.invalidateQueries({ queryKey: keys.version(version.id) }), NOTED_MS);
    return () => clearTimeout(timer);
  }, [client, count, version.id]);
}

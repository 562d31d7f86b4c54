import { useQueries, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useState } from "react";
import { messageOf } from "@/shared/api/problem";
import { jobQuery } from "@/shared/api/queries";
import { inputFile, runJob } from "@/shared/api/run";
import type { Job, Json } from "@/shared/api/types";
import { inputOf } from "@/shared/lib/inputs";
import { text } from "@/shared/text";

/** One image of a run: chosen, being sent, or running as a job. */
export interface Item {
  key: number;
  /** Null for a run that was opened by its address: then the input lies in storage. */
  file: File | null;
  name: string;
  /** Address of the picture in this tab, for as long as the item lives. */
  url: string | null;
  jobId: string | null;
  /** Share of the upload, 0 to 1. */
  sent: number;
  error: string | null;
}

const AT_ONCE = 4;
/** More job ids would make an address that some proxies refuse. */
export const LINKED_MAX = 100;
let nextKey = 1;

export function itemOf(file: File): Item {
  return { key: nextKey++, file, name: file.name, url: URL.createObjectURL(file), jobId: null, sent: 0, error: null };
}

function itemOfJob(jobId: string): Item {
  const file = inputOf(jobId);
  return { ...(file ? itemOf(file) : { key: nextKey++, file: null, name: text.jobs.job(jobId.slice(-8)), url: null, sent: 0, error: null }), jobId };
}

function release(items: Item[]): void {
  for (const { url } of items) if (url) URL.revokeObjectURL(url);
}

export interface Run {
  items: Item[];
  add: (files: File[]) => void;
  remove: (key: number) => void;
  clear: () => void;
  start: (list: Item[], versionId: string, params: Record<string, Json> | null) => Promise<string[]>;
}

/** The images of a run; `jobs` are those of a run that was opened by its address. */
export function useRun(jobs: string[]): Run {
  const client = useQueryClient();
  const [items, setItems] = useState<Item[]>(() => jobs.map(itemOfJob));
  const linked = jobs.join();
  useEffect(() => {
    setItems((old) => {
      const known = old.flatMap((item) => (item.jobId ? [item.jobId] : [])).join();
      if (linked === known) return old;
      // Back, Forward, or the navigation's link to a new run
      if (linked === "" && known === "") return old;
      release(old);
      return linked ? linked.split(",").map(itemOfJob) : [];
    });
  }, [linked]);
  const add = useCallback((files: File[]) => setItems((old) => [...old, ...files.map(itemOf)]), []);
  const remove = useCallback((key: number) => {
    setItems((old) => {
      release(old.filter((item) => item.key === key));
      return old.filter((item) => item.key !== key);
    });
  }, []);
  const clear = useCallback(() => {
    setItems((old) => {
      release(old);
      return [];
    });
  }, []);
  const start = async (list: Item[], versionId: string, params: Record<string, Json> | null): Promise<string[]> => {
    const patch = (key: number, change: Partial<Item>) => setItems((old) => old.map((item) => (item.key === key ? { ...item, ...change } : item)));
    const made = new Map(items.map((item) => [item.key, item.jobId]));
    const waiting = [...list];
    for (const { key } of list) {
      made.set(key, null);
      patch(key, { error: null, jobId: null, sent: 0 });
    }
    const work = async () => {
      for (let item = waiting.shift(); item; item = waiting.shift()) {
        const { key, file, jobId } = item;
        try {
          const input = file ?? (await inputFile(await client.fetchQuery(jobQuery(jobId ?? ""))));
          const began = (id: string) => {
            made.set(key, id);
            patch(key, { jobId: id });
          };
          await runJob(versionId, input, params, began, (sent) => patch(key, { sent }));
        } catch (error) {
          patch(key, { error: messageOf(error) });
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    void client.invalidateQueries({ queryKey: ["jobs"] });
    return [...made.values()].filter((id) => id !== null);
  };
  return { items, add, remove, clear, start };
}

/** The job of each item, where there is one; the socket keeps them fresh. */
export function useJobs(items: Item[]): (Job | undefined)[] {
  return useQueries({
    queries: items.map(({ jobId, key }) => ({ ...jobQuery(jobId ?? ""), queryKey: ["job", jobId ?? `none ${key}`] as const, enabled: jobId !== null })),
  }).map((each) => each.data);
}

import { QueryClient } from "@tanstack/react-query";
import { beforeEach, expect, it } from "vitest";
import type { Job, Page, Version } from "@/shared/api/types";
import { applyEvent, keepNewer, keys } from "@/shared/live/cache";

const job = (over: Partial<Job>): Job => ({
  id: "j1", version_id: "v1", status: "QUEUED", rev: 1, result: null, timings: {}, error_code: null, error_message: null,
  deadline: null, created_at: "2026-01-01T00:00:00Z", updated_at: "2026-01-01T00:00:00Z", ...over,
}); // prettier-ignore
const event = (name: string, data: object, seq = 1) => ({ type: "event" as const, seq, event: name, id: `e${seq}`, time: "", data: data as never });
const list = (...items: Job[]) => ({ pages: [{ items, next_cursor: null }], pageParams: [null] });
let client: QueryClient;
const listed = (filter = {}) => client.getQueryData<{ pages: Page<Job>[] }>(keys.jobs(filter))?.pages[0]?.items.map((each) => `${each.id} ${each.status}`);

beforeEach(() => {
  client = new QueryClient();
});

it("patches an object and its lists, never with older news", () => {
  client.setQueryData(keys.job("j1"), job({ rev: 2, status: "RUNNING", input_sha256: "kept" }));
  client.setQueryData(keys.jobs(), list(job({ rev: 2, status: "RUNNING" })));
  applyEvent(client, event("job.submitted", job({ rev: 1 })));
  expect(listed()).toEqual(["j1 RUNNING"]);
  applyEvent(client, event("job.succeeded", job({ rev: 3, status: "SUCCEEDED" }), 2));
  expect(client.getQueryData<Job>(keys.job("j1"))).toMatchObject({ status: "SUCCEEDED", input_sha256: "kept", rev: 3 });
  expect(listed()).toEqual(["j1 SUCCEEDED"]);
});

it("adds a new job to the lists it fits, and takes it out of those it left", () => {
  client.setQueryData(keys.jobs(), list());
  client.setQueryData(keys.jobs({ status: "QUEUED" }), list());
  client.setQueryData(keys.jobs({ status: "FAILED" }), list());
  applyEvent(client, event("job.submitted", job({})));
  expect([listed(), listed({ status: "QUEUED" }), listed({ status: "FAILED" })]).toEqual([["j1 QUEUED"], ["j1 QUEUED"], []]);
  applyEvent(client, event("job.running", job({ rev: 2, status: "RUNNING" }), 2));
  expect([listed(), listed({ status: "QUEUED" })]).toEqual([["j1 RUNNING"], []]);
});

it("keeps a result the event left out", () => {
  client.setQueryData(keys.job("j1"), job({ rev: 2, result: { big: 1 } }));
  applyEvent(client, event("job.succeeded", { ...job({ rev: 3, status: "SUCCEEDED" }), result_omitted: true }));
  expect(client.getQueryData<Job>(keys.job("j1"))?.result).toEqual({ big: 1 });
});

it("does not let an answer that was under way turn the clock back", () => {
  const known = job({ rev: 5, status: "SUCCEEDED" });
  const late = job({ rev: 4, status: "RUNNING", input_sha256: "from the row" });
  expect(keepNewer(known, late)).toMatchObject({ rev: 5, status: "SUCCEEDED", input_sha256: "from the row" });
  expect(keepNewer(known, job({ rev: 6 }))).toMatchObject({ rev: 6, status: "QUEUED" });
  expect(keepNewer(list(known), list(late))).toMatchObject({ pages: [{ items: [{ rev: 5 }] }] });
});

it("patches versions in their model's list", () => {
  const version = { id: "v1", model_id: "m1", version_number: "1", status: "QUEUED", rev: 1, phases: [] } as unknown as Version;
  client.setQueryData(keys.modelVersions("m1"), { items: [version], next_cursor: null });
  applyEvent(client, event("version.building", { ...version, rev: 2, status: "BUILDING" }));
  expect(client.getQueryData<Page<Version>>(keys.modelVersions("m1"))?.items[0]?.status).toBe("BUILDING");
});

it("names a new job from what the page has read, and asks for the list where it cannot", () => {
  client.setQueryData(keys.jobs(), list(job({ id: "j0", version_id: "v1", model_id: "m1", model_name: "Gray", version_number: "1.0" })));
  client.setQueryData(keys.jobs({ model_id: "m1" }), list());
  expect(applyEvent(client, event("job.submitted", job({})))).toMatchObject({ model_name: "Gray", version_number: "1.0", model_id: "m1" });
  expect([listed(), listed({ model_id: "m1" })]).toEqual([["j1 QUEUED", "j0 QUEUED"], ["j1 QUEUED"]]);
  applyEvent(client, event("job.submitted", job({ id: "j2", version_id: "elsewhere" }), 2));
  expect(listed({ model_id: "m1" })).toEqual(["j1 QUEUED"]);
  expect(client.getQueryState(keys.jobs({ model_id: "m1" }))?.isInvalidated).toBe(true);
});

it("reads a list afresh before events make its first page endless", () => {
  client.setQueryData(keys.jobs(), list(...Array.from({ length: 200 }, (_, i) => job({ id: `old${i}`, model_id: "m1", model_name: "Gray", version_number: "1" }))));
  applyEvent(client, event("job.submitted", job({})));
  expect(client.getQueryState(keys.jobs())?.isInvalidated).toBe(true);
});

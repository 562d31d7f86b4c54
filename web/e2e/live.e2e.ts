import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { type Account, account, api, killPart, launch, live, logIn, noFaults, open, PASSWORD, photo, put, readyModel, runJob } from "./harness";

let browser: Browser;
let owner: Account;
let version: string;
beforeAll(async () => {
  browser = await launch();
  owner = await account("live");
  ({ version } = await readyModel(owner));
});
afterAll(() => browser.close());
afterEach(noFaults);

/** Note in the page itself when each text first shows: the driver's own polling would blur the milliseconds. */
async function noteChanges(page: Page): Promise<void> {
  await page.evaluate(() => {
    const seen: Record<string, number> = {};
    const look = () => {
      for (const row of document.querySelectorAll("[role=row] a[href^='/jobs/']")) {
        const line = row.closest("[role=row]");
        const job = row.getAttribute("href") ?? "";
        for (const word of ["Queued", "Running", "Succeeded"]) if (line?.textContent?.includes(word)) seen[`${job} ${word}`] ??= Date.now();
      }
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
    Object.assign(window, { seen });
  });
}
const seen = (page: Page) => page.evaluate(() => (window as unknown as { seen: Record<string, number> }).seen);

it("shows the same change in two windows within 100 ms", async () => {
  const first = await open(browser);
  const second = await open(browser);
  for (const { page } of [first, second]) {
    await logIn(page, owner.name);
    await page.goto("/jobs");
    await live(page);
    await noteChanges(page);
  }
  const jobs: string[] = [];
  for (let i = 0; i < 5; i += 1) {
    const job = await runJob(owner, version);
    jobs.push(job);
    for (const { page } of [first, second]) await page.getByRole("row", { name: /Succeeded/ }).filter({ has: page.locator(`a[href="/jobs/${job}"]`) }).waitFor();
  }
  const [one, two] = [await seen(first.page), await seen(second.page)];
  const apart = jobs.map((job) => Math.abs((one[`/jobs/${job} Succeeded`] ?? 0) - (two[`/jobs/${job} Succeeded`] ?? Infinity)));
  // and not only with each other: with the fact itself
  const late = await Promise.all(
    jobs.map(async (job) => (one[`/jobs/${job} Succeeded`] ?? Infinity) - Date.parse((await api<{ finished_at: string }>(owner, "GET", `/api/jobs/${job}`)).finished_at)),
  );
  console.log(`apart ${apart.join(", ")} ms; after the change ${late.join(", ")} ms`);
  const median = (values: number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? Infinity;
  expect(median(apart)).toBeLessThan(100);
  expect(median(late)).toBeLessThan(100);
  await first.context.close();
  await second.context.close();
});

it("catches up after the notifier was killed: nothing missing, nothing twice", async () => {
  const { page, context } = await open(browser);
  await logIn(page, owner.name);
  await page.goto("/jobs");
  await live(page);
  const sockets: string[] = [];
  page.on("websocket", (socket) => sockets.push(socket.url()));
  await killPart("notifier");
  await page.getByText(/^Reconnecting, showing what we knew at \d\d:\d\d$/).waitFor();
  const jobs = [await runJob(owner, version), await runJob(owner, version), await runJob(owner, version)];
  await live(page);
  for (const job of jobs) {
    const row = page.getByRole("row").filter({ has: page.locator(`a[href="/jobs/${job}"]`) });
    await row.getByText("Succeeded").waitFor();
    expect(await row.count()).toBe(1);
  }
  // it asked for what came after the last event it had seen, not for everything
  expect(sockets.length).toBeGreaterThan(0);
  for (const address of sockets) expect(address).toMatch(/[?&]since=\d+/);
  await context.close();
});

it("goes on by itself when the network comes back, and keeps the live log whole", async () => {
  const { page, context } = await open(browser);
  await logIn(page, owner.name);
  await page.goto("/jobs");
  await live(page);
  await context.setOffline(true);
  // the browser tells of it at once; a socket that sleeps with the machine is found by its silence
  await page.getByText(/^Reconnecting, showing what we knew at/).waitFor();
  const job = await api<{ job_id: string; upload_url: string }>(owner, "POST", "/api/jobs/", { version_id: version });
  await put(job.upload_url, photo);
  await api(owner, "POST", `/api/jobs/${job.job_id}/run`);
  await context.setOffline(false);
  await page.getByRole("row").filter({ has: page.locator(`a[href="/jobs/${job.job_id}"]`) }).getByText("Succeeded").waitFor();
  await context.close();
});

it("loads anew when a script did not come, and keeps the session while the platform is away", async () => {
  const { page, context } = await open(browser);
  await logIn(page, owner.name);
  let cut = 0;
  await context.route(/\/assets\/index-.*\.js$/, (route) => ((cut += 1) === 1 ? route.abort("connectionreset") : route.continue()));
  await context.route("**/api/users/refresh", (route) => route.abort("connectionrefused"));
  await page.reload();
  await page.getByRole("heading", { name: "The platform does not answer" }).waitFor();
  expect(cut).toBeGreaterThan(1);
  await context.unroute("**/api/users/refresh");
  await page.getByRole("heading", { name: `Good to see you, ${owner.name}` }).waitFor();
  await context.close();
});

it("keeps the session over a reload, ends it everywhere, and hands it to no script", async () => {
  const here = await open(browser);
  const there = await open(browser);
  for (const { page } of [here, there]) await logIn(page, owner.name);
  await here.page.reload();
  await here.page.getByRole("heading", { name: `Good to see you, ${owner.name}` }).waitFor();
  expect(await here.page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie)).not.toMatch(/ey[A-Za-z0-9_-]{10,}\./);
  const cookie = (await here.context.cookies()).find((each) => each.name.includes("refresh"));
  expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Strict", path: "/api/users" });

  await here.page.goto("/account");
  await expect.poll(() => here.page.getByRole("button", { name: "End session" }).count()).toBeGreaterThanOrEqual(1);
  // another password: the wrong one is said, and what was typed stays
  await here.page.getByLabel("Current password").fill("wrong horse battery");
  await here.page.getByLabel("New password").fill(`${PASSWORD}!`);
  await here.page.getByRole("button", { name: "Change password" }).click();
  await here.page.getByRole("alert").first().waitFor();
  expect(await here.page.getByLabel("New password").inputValue()).toBe(`${PASSWORD}!`);

  await here.page.getByRole("button", { name: "Log out everywhere" }).click();
  await here.page.waitForURL(/\/login/);
  // the other window is signed out at its next request, without a reload of its own
  await there.page.getByRole("link", { name: "Account" }).first().click();
  await there.page.waitForURL(/\/login\?next=/);
  await here.context.close();
  await there.context.close();
});

import { readFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { type Account, account, api, ended, launch, live, logIn, noFaults, open, operatorPassword, package_, put, readyModel, root, runJob, settled } from "./harness";

const axe = readFileSync(`${root}web/node_modules/axe-core/axe.min.js`, "utf8");
let browser: Browser;
let owner: Account;
let made: { model: string; version: string };
let job: string;
let failed: string;
beforeAll(async () => {
  browser = await launch();
  owner = await account("axe");
  made = await readyModel(owner);
  job = await runJob(owner, made.version);
  await ended(owner, `/api/jobs/${job}`, "SUCCEEDED");
  const bad = await api<{ version_id: string; upload_url: string }>(owner, "POST", "/api/models/versions", { model_id: made.model, version_number: "bad" });
  await put(bad.upload_url, package_("def run(path):\n    return {}\n"));
  await api(owner, "POST", `/api/models/versions/${bad.version_id}/build`);
  await ended(owner, `/api/models/versions/${bad.version_id}`, "FAILED").catch(() => null);
  failed = bad.version_id;
});
afterAll(() => browser.close());
afterEach(noFaults);

type Axe = { run: (on: Document, how: object) => Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }> };

/** What axe finds in the light page, and what the dark one adds: there only the colours differ. */
async function violations(page: Page): Promise<string[]> {
  // the driver runs this past the page's policy, as a debugger would
  await page.evaluate(axe);
  const run = async (how: object) => {
    const found = await page.evaluate((how) => (window as unknown as { axe: Axe }).axe.run(document, how), { resultTypes: ["violations"], ...how });
    return found.violations.filter((each) => ["serious", "critical"].includes(each.impact)).map((each) => `${each.id}: ${each.nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`);
  };
  const light = await run({});
  await page.emulateMedia({ colorScheme: "dark" });
  await page.locator("html[data-theme=dark]").waitFor({ state: "attached" });
  const dark = await run({ runOnly: ["color-contrast"] });
  await page.emulateMedia({ colorScheme: "light" });
  await page.locator("html[data-theme=light]").waitFor({ state: "attached" });
  return [...light, ...dark.map((each) => `dark: ${each}`)];
}

const visit = async (page: Page, path: string) => {
  await page.goto(path);
  await settled(page);
};

it("axe finds no serious violation on any page, light and dark", async () => {
  // no transition between the colours of one and the other: axe reads them at once
  const out = await open(browser, { reducedMotion: "reduce" });
  for (const path of ["/", "/login", "/register"]) {
    await visit(out.page, path);
    expect(await violations(out.page), path).toEqual([]);
  }
  await out.context.close();
  const { page, context } = await open(browser, { reducedMotion: "reduce" });
  await logIn(page, owner.name);
  await live(page);
  const pages = [
    "/dashboard", "/models", "/models?show=all&q=nothing-like-this", "/models?create=true", `/models/${made.model}`, `/models/${made.model}?version=${failed}`,
    `/models/${made.model}?upload=true`, `/models/${made.model}?tab=usage`, `/models/${made.model}?tab=card`, `/models/${made.model}?tab=settings`,
    "/run", `/run?version=${made.version}`, `/run?version=${made.version}&jobs=${job}`, "/jobs", "/jobs?status=FAILED", `/jobs/${job}`, "/jobs/00000000-0000-7000-8000-000000000000", "/account", "/nowhere",
  ]; // prettier-ignore
  for (const path of pages) {
    await visit(page, path);
    expect(await violations(page), path).toEqual([]);
  }
  await page.goto("/dashboard");
  await live(page);
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").waitFor();
  expect(await violations(page), "palette").toEqual([]);
  await context.close();

  const operator = await open(browser, { reducedMotion: "reduce" });
  await logIn(operator.page, "admin", operatorPassword());
  for (const tab of ["queue", "workers", "users", "dead", "disk"]) {
    await visit(operator.page, `/admin?tab=${tab}`);
    expect(await violations(operator.page), tab).toEqual([]);
  }
  await operator.page.getByRole("button", { name: "See what would go" }).click();
  await operator.page.getByText(/would go|Nothing to clean up/).first().waitFor();
  await operator.context.close();
});

import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { type Account, account, launch, live, logIn, noFaults, open, readyModel, runJob } from "./harness";

let browser: Browser;
let owner: Account;
let stranger: Account;
beforeAll(async () => {
  browser = await launch();
  [owner, stranger] = [await account("owner"), await account("stranger")];
});
afterAll(() => browser.close());
afterEach(noFaults);

it("hides another user's objects, and shows a public model without its package and log", async () => {
  const hidden = await readyModel(owner, { name: `Hidden ${owner.name}` });
  const open_ = await readyModel(owner, { name: `Open ${owner.name}`, isPublic: true });
  const job = await runJob(owner, hidden.version);
  const { page, context } = await open(browser);
  await logIn(page, stranger.name);
  await live(page);

  for (const path of [`/models/${hidden.model}`, `/models/${hidden.model}?version=${hidden.version}`, `/jobs/${job}`]) {
    await page.goto(path);
    const alert = page.getByRole("alert");
    await alert.waitFor();
    expect(await page.getByText(`Hidden ${owner.name}`).count()).toBe(0);
  }
  await page.goto("/models?show=all");
  await page.getByText(`Open ${owner.name}`).waitFor();
  expect(await page.getByText(`Hidden ${owner.name}`).count()).toBe(0);
  await page.goto("/jobs");
  await page.getByText("No job yet").waitFor();
  await page.goto("/admin");
  await page.getByText("This page is for the operator.").waitFor();

  await page.goto(`/models/${open_.model}`);
  await page.getByText("The build log stays with the model's owner.").waitFor();
  expect(await page.getByRole("tab", { name: "Settings" }).count()).toBe(0);
  expect(await page.getByRole("button", { name: "Upload a version" }).count()).toBe(0);
  await page.getByRole("article").getByRole("link", { name: "Run Inference" }).click();
  await page.getByRole("button", { name: "Use a sample image" }).click();
  await page.getByRole("button", { name: "Run Inference" }).click();
  await page.getByRole("link", { name: "Download gray.png" }).waitFor();

  // and the owner's windows hear nothing of the stranger's job
  const { page: other, context: second } = await open(browser);
  await logIn(other, owner.name);
  await other.goto("/jobs");
  await live(other);
  expect(await other.getByRole("row", { name: new RegExp(`Open ${owner.name}`) }).count()).toBe(0);
  await context.close();
  await second.close();
});

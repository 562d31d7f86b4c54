import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { type Account, account, launch, live, logIn, noFaults, open, readyModel, settled } from "./harness";

let browser: Browser;
let owner: Account;
let model: string;
beforeAll(async () => {
  browser = await launch();
  owner = await account("phone");
  ({ model } = await readyModel(owner, { name: "A rather long name of a model that does not fit on one line of a phone" }));
});
afterAll(() => browser.close());
afterEach(noFaults);

it("runs an image on a screen of 390 px, and no page is wider than it", async () => {
  const { page, context } = await open(browser, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 3 });
  await logIn(page, owner.name);
  await live(page);
  const nav = page.getByRole("navigation", { name: "Main" }).last();
  await nav.getByRole("link", { name: "Inference" }).tap();
  await page.getByRole("button", { name: "Next: Upload Image" }).tap();
  await page.getByRole("button", { name: "Use a sample image" }).tap();
  await page.getByRole("button", { name: "Run Inference" }).tap();
  await page.getByRole("link", { name: "Download gray.png" }).waitFor();
  await page.getByRole("button", { name: "Output", exact: true }).tap();

  await page.getByRole("link", { name: "Open the job" }).tap();
  await page.waitForURL(/\/jobs\/[0-9a-f-]{36}$/);
  const job = new URL(page.url()).pathname;
  for (const path of ["/", "/dashboard", "/models", `/models/${model}`, `/models/${model}?tab=usage`, `/models/${model}?tab=settings`, "/run", "/jobs", job, "/account"]) {
    await page.goto(path);
    await settled(page);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(wide, `${path} is wider than the screen`).toBeLessThanOrEqual(0);
    // a finger needs room: nothing that is a button of the page's own is smaller than 28 px
    const small = await page.locator("button:visible").evaluateAll((all) =>
      all.filter((each) => Math.min(each.getBoundingClientRect().width, each.getBoundingClientRect().height) < 24).map((each) => each.outerHTML.slice(0, 120)),
    );
    expect(small, path).toEqual([]);
  }
  await context.close();
});

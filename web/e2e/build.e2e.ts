import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { account, GOOD, launch, live, logIn, noFaults, open, pack, package_, upload } from "./harness";

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());
afterEach(noFaults);

it("goes from a failed build to a fixed one, with what to do said on the way", async () => {
  const { page, context } = await open(browser);
  await logIn(page, (await account("build")).name);
  await page.goto("/models");
  await page.getByRole("button", { name: "Create New Model" }).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Create Model" }).click();
  await dialog.getByText("Give the model a name.").waitFor();
  await dialog.getByLabel("Name").fill("Gray");
  await dialog.getByLabel("Description").fill("Colours to grays");
  await dialog.getByLabel("Make public").check();
  await dialog.getByRole("button", { name: "Create Model" }).click();
  await page.waitForURL(/\/models\/[0-9a-f-]{36}/);
  await live(page);

  // what the browser can see itself is said before anything is sent
  await upload(page, Buffer.from("no zip at all"));
  await page.getByText("This file is not a ZIP.").waitFor();
  expect(await page.getByRole("button", { name: "Upload anyway" }).isDisabled()).toBe(true);
  await upload(page, pack({ "predict.py": "def predict():\n    pass\n" }));
  await page.getByText("There is no requirements.txt at the root.").waitFor();
  await page.getByText("predict.py has no top-level run().").waitFor();

  // the platform says the rest, with file, line and cure
  await upload(page, package_("\n\ndef run(path):\n    return {}\n"));
  await page.getByLabel("Version Number").fill("0.1");
  await page.getByRole("button", { name: "Upload and Build" }).click();
  const version = page.getByRole("article");
  const failure = version.getByRole("alert");
  await failure.getByText("SIGNATURE_INVALID").waitFor();
  await failure.getByText(/predict\.py:3: run\(\) takes \(path\)/).waitFor();
  await failure.getByText("What to do").waitFor();
  await version.getByRole("log").getByText("== Checking the package").waitFor();

  // a folder around the files is taken away here, and the number proposed is the next one
  await page.getByRole("button", { name: "Upload a version" }).click();
  await upload(page, pack({ "gray/predict.py": GOOD, "gray/requirements.txt": "Pillow\n", "gray/README.md": "# Card of Gray\n\n<script>document.title = 'owned'</script>\n\n[click](javascript:alert(1))" }));
  await page.getByText("predict.py is inside the folder “gray”").waitFor();
  await page.getByRole("button", { name: "Take the files out of the folder" }).click();
  await page.getByText("Taken out of the folder.").waitFor();
  expect(await page.getByLabel("Version Number").inputValue()).toBe("0.2");
  await page.getByRole("button", { name: "Upload and Build" }).click();
  await version.getByText("Ready", { exact: true }).waitFor({ timeout: 240_000 });

  // log: search, copy, download
  const log = page.getByRole("region", { name: "Build log" });
  await log.getByLabel("Search the log").fill("== ");
  await log.getByText(/^1 of \d+$/).waitFor();
  await log.getByRole("button", { name: "Next match" }).click();
  await log.getByText(/^2 of \d+$/).waitFor();
  const [file] = await Promise.all([page.waitForEvent("download"), log.getByRole("button", { name: "Download the log" }).click()]);
  expect(file.suggestedFilename()).toBe("build-0.2.log");

  // the model card: a script is text, a script's address is no link
  await page.getByRole("tab", { name: "Model card" }).click();
  await page.getByRole("heading", { name: "Card of Gray" }).waitFor();
  await page.getByText("<script>document.title = 'owned'</script>").waitFor();
  expect(await page.getByRole("link", { name: "click" }).count()).toBe(0);
  expect(await page.title()).toBe("Gray · ClinAI");

  // snippets for this very version
  await page.getByRole("tab", { name: "Use it" }).click();
  const id = new URL(page.url()).searchParams.get("version") ?? "";
  expect(id).toMatch(/^[0-9a-f-]{36}$/);
  expect(await page.locator("pre", { hasText: id }).count()).toBeGreaterThanOrEqual(2);
  await context.close();
});

it("cancels a build, deletes a version, renames and deletes a model", async () => {
  const { page, context } = await open(browser);
  await logIn(page, (await account("cancel")).name);
  await page.goto("/models?create=true");
  await page.getByRole("dialog").getByLabel("Name").fill("Slow");
  await page.getByRole("button", { name: "Create Model" }).click();
  await page.waitForURL(/\/models\/[0-9a-f-]{36}/);
  await live(page);
  await upload(page, package_(`import time\ntime.sleep(50)\n${GOOD}`));
  await page.getByRole("button", { name: "Upload and Build" }).click();
  const version = page.getByRole("article");
  await version.getByText("Building", { exact: true }).waitFor();
  await version.getByRole("log").getByText("== Smoke test").waitFor();
  await version.getByRole("button", { name: "Cancel build" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel build" }).click();
  await version.getByText("Canceled", { exact: true }).waitFor();
  await version.getByRole("button", { name: "Delete version" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete version" }).click();
  await page.getByRole("heading", { name: "Upload the first version" }).waitFor();
  await page.getByRole("tab", { name: "Settings" }).click();
  await page.getByLabel("Name").fill("Slower");
  await page.getByRole("button", { name: "Save changes" }).click();
  await page.getByRole("heading", { name: "Slower", level: 1 }).waitFor();
  await page.getByRole("button", { name: "Delete model" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete model" }).click();
  await page.waitForURL("**/models");
  await page.getByText("No model yet").waitFor();
  await context.close();
});

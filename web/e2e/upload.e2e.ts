import { randomBytes } from "node:crypto";
import { zipSync } from "fflate";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { account, api, GOOD, launch, live, logIn, noFaults, open } from "./harness";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname } from "node:path";

let browser: Browser;
let zip: string;
beforeAll(async () => {
  browser = await launch();
  // random weights that no compression makes small: 72 MiB are five parts
  const weights = randomBytes(72 * 1024 ** 2);
  zip = `${mkdtempSync(`${tmpdir()}/clinai-web-`)}/large.zip`;
  const text = new TextEncoder();
  writeFileSync(zip, zipSync({ "predict.py": text.encode(GOOD), "requirements.txt": text.encode("Pillow\n"), "weights.bin": [new Uint8Array(weights), { level: 0 }] }));
});
afterAll(async () => {
  await browser.close();
  rmSync(dirname(zip), { recursive: true });
});
afterEach(noFaults);

const part = (address: string): number => Number(new URL(address).searchParams.get("partNumber"));

it("sends a large package in parts, goes on after a lost connection and after a reload, and sends nothing twice", async () => {
  const owner = await account("parts");
  const model = await api<{ id: string }>(owner, "POST", "/api/models/", { name: "Large", description: "", is_public: false });
  const { page, context } = await open(browser);
  page.on("dialog", (dialog) => void dialog.accept());
  await logIn(page, owner.name);
  await page.goto(`/models/${model.id}`);
  await live(page);

  const sent: number[] = [];
  const arrived = new Set<number>();
  page.on("response", (answer) => {
    if (answer.request().method() === "PUT" && answer.ok() && answer.url().includes("partNumber=")) arrived.add(part(answer.url()));
  });
  let mode: "cut" | "hang" | "through" = "cut";
  await context.route(/partNumber=/, async (route) => {
    if (route.request().method() !== "PUT") return route.continue();
    const number = part(route.request().url());
    if (mode === "cut" && number === 2) {
      mode = "hang";
      return route.abort("connectionreset");
    }
    // the page is left while part 4 is on its way
    if (mode === "hang" && number === 4) return undefined;
    sent.push(number);
    return route.continue();
  });
  await page.setInputFiles("input[type=file][accept*=zip]", zip);
  await page.getByText("3 files, 72 MB unpacked.").waitFor();
  await page.getByRole("button", { name: "Upload and Build" }).click();
  await page.getByRole("progressbar", { name: "Uploading" }).waitFor();
  await expect.poll(() => arrived.size).toBe(3);
  expect(sent).toEqual([1, 2, 3]);

  mode = "through";
  await page.reload();
  await live(page);
  await page.getByText("The package has not arrived yet.").waitFor();
  await page.getByRole("button", { name: "Upload a version" }).click();
  await page.setInputFiles("input[type=file][accept*=zip]", zip);
  await page.getByText("This upload was begun before and goes on where it stopped.").waitFor();
  await page.getByRole("button", { name: "Upload and Build" }).click();
  await page.getByRole("article").getByText("Ready", { exact: true }).waitFor({ timeout: 240_000 });
  expect(sent).toEqual([1, 2, 3, 4, 5]);
  const { items } = await api<{ items: { version_number: string }[] }>(owner, "GET", `/api/models/${model.id}/versions`);
  expect(items.map((each) => each.version_number)).toEqual(["1.0.0"]);
  await context.close();
});

it("takes back the version of an upload that was stopped", async () => {
  const owner = await account("stop");
  const model = await api<{ id: string }>(owner, "POST", "/api/models/", { name: "Stopped", description: "", is_public: false });
  const { page, context } = await open(browser);
  await logIn(page, owner.name);
  await page.goto(`/models/${model.id}`);
  await context.route(/partNumber=2/, () => undefined);
  await page.setInputFiles("input[type=file][accept*=zip]", zip);
  await page.getByRole("button", { name: "Upload and Build" }).click();
  await page.getByText(/\d MB of 72 MB \(\d/).waitFor();
  await page.getByRole("button", { name: "Stop the upload" }).click();
  await expect.poll(async () => (await api<{ items: unknown[] }>(owner, "GET", `/api/models/${model.id}/versions`)).items.length).toBe(0);
  await page.getByRole("heading", { name: "Upload the first version" }).waitFor();
  await context.close();
});

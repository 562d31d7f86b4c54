import { strToU8, zipSync } from "fflate";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";

const url = process.env.CLINAI_E2E_URL;
if (!url) throw new Error("set CLINAI_E2E_URL to the address of a running platform");

const GOOD = `from PIL import Image


def run(input_path: str, output_dir: str) -> dict:
    image = Image.open(input_path)
    image.convert("L").save(f"{output_dir}/gray.png")
    return {"width": image.width, "height": image.height}
`;
const pack = (predict: string) => Buffer.from(zipSync({ "predict.py": strToU8(predict), "requirements.txt": strToU8("Pillow\n") }));

let browser: Browser;
let context: BrowserContext;
let page: Page;

beforeAll(async () => {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage"] });
  context = await browser.newContext({ baseURL: url });
  page = await context.newPage();
});
afterAll(() => browser.close());

async function upload(zip: Buffer): Promise<void> {
  await page.setInputFiles("input[type=file][accept*=zip]", { name: "model.zip", mimeType: "application/zip", buffer: zip });
  await page.getByRole("button", { name: /Upload and Build|Upload anyway/ }).click();
}

it("goes from nothing to a failed build, a fixed build and a prediction without a reload", async () => {
  const name = `web${Date.now()}`;
  await page.goto("/");
  await page.getByRole("link", { name: "Create account" }).click();
  await page.getByLabel("Username").fill(name);
  await page.getByLabel("Email").fill(`${name}@example.org`);
  await page.getByLabel("Password").fill("correct horse battery");
  await page.getByRole("button", { name: "Create account" }).click();
  await page.waitForURL("**/dashboard");

  await page.goto("/models");
  await page.getByRole("button", { name: "Create New Model" }).first().click();
  await page.getByLabel("Name").fill("Gray");
  await page.getByRole("button", { name: "Create Model", exact: true }).click();
  await page.waitForURL(/\/models\/[0-9a-f-]{36}/);

  await upload(pack(GOOD.replace("output_dir: str", "")));
  await page.getByText("SIGNATURE_INVALID").waitFor({ timeout: 60_000 });
  await page.getByRole("button", { name: "Upload a version" }).click();
  await upload(pack(GOOD));
  await page.getByRole("article").getByText("Ready", { exact: true }).waitFor({ timeout: 150_000 });

  await page.getByRole("article").getByRole("link", { name: "Run Inference" }).click();
  await page.getByRole("button", { name: "Use a sample image" }).click();
  await page.getByRole("button", { name: "Run Inference" }).click();
  await page.getByRole("link", { name: "Download gray.png" }).waitFor({ timeout: 60_000 });
  expect(await page.getByText("Succeeded").count()).toBeGreaterThan(0);
});

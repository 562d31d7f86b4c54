import { readFileSync } from "node:fs";
import { unzipSync } from "fflate";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { type Account, account, api, launch, live, logIn, noFaults, open, package_, photo, readyModel, readyVersion, root } from "./harness";

const BOXES = `from PIL import Image


def run(input_path: str, output_dir: str, params: dict) -> dict:
    image = Image.open(input_path).convert("RGB")
    if params.get("fail"):
        raise ValueError("asked to fail")
    image.save(f"{output_dir}/a.png")
    image.convert("L").save(f"{output_dir}/b.png")
    open(f"{output_dir}/page.html", "w").write("<script>parent.document.title = 'owned'</script>")
    open(f"{output_dir}/drawing.svg", "w").write("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    w, h = image.size
    return {
        "boxes": [[0, 0, w // 2, h // 2], [w // 2, h // 2, w, h]],
        "labels": ["cat", "dog"],
        "scores": [0.9, 0.3],
        "params": params,
    }
`;

let browser: Browser;
let owner: Account;
let gray: { model: string; version: string };
beforeAll(async () => {
  browser = await launch();
  owner = await account("run");
  gray = await readyModel(owner);
});
afterAll(() => browser.close());
afterEach(noFaults);

it("runs 20 images at once and hands out all results as one ZIP", async () => {
  const { page, context } = await open(browser);
  await logIn(page, owner.name);
  await page.goto("/run");
  await live(page);
  await page.getByRole("button", { name: "Next: Upload Image" }).click();
  await page.setInputFiles(
    "input[type=file][accept*=image]",
    Array.from({ length: 20 }, (_, i) => ({ name: `photo-${i}.jpg`, mimeType: "image/jpeg", buffer: photo })),
  );
  await page.getByText("20 images", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Run Inference on 20 images" }).click();
  await page.getByText("20 of 20 done", { exact: true }).waitFor({ timeout: 240_000 });
  expect(await page.getByRole("list", { name: "Results" }).getByRole("button", { name: /: Succeeded$/ }).count()).toBe(20);
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download all results as ZIP" }).click()]);
  const entries = Object.keys(unzipSync(new Uint8Array(readFileSync(await file.path()))));
  expect(entries).toHaveLength(20);
  expect(entries[0]).toBe("001-photo-0.jpg/gray.png");
  // the arrow keys of the viewer step through the images of the run
  await page.getByRole("application").focus();
  await page.keyboard.press("ArrowRight");
  await page.getByRole("heading", { name: "photo-1.jpg" }).waitFor();

  // the table of jobs has them, and runs one again
  await page.getByRole("link", { name: "Jobs", exact: true }).first().click();
  const rows = page.getByRole("table", { name: "Jobs" }).getByRole("row", { name: /Succeeded/ });
  await expect.poll(() => rows.count()).toBeGreaterThan(5);
  await rows.first().getByRole("button", { name: "Run again" }).click();
  await page.getByText("Gray 1.0.0 runs again").waitFor();
  await page.getByLabel("State").selectOption("FAILED");
  await page.getByText("No job matches these filters").waitFor();
  await context.close();
});

it("draws boxes, shows metadata, never runs what a model wrote, and runs again with another version", async () => {
  await readyVersion(owner, gray.model, package_(BOXES), "2.0.0");
  const { page, context } = await open(browser);
  await logIn(page, owner.name);
  await page.goto(`/run?model=${gray.model}`);
  await live(page);
  await page.getByLabel("Version").selectOption({ label: "2.0.0" });
  await page.getByRole("button", { name: "Next: Upload Image" }).click();
  // pasted, as from a screenshot tool
  await page.evaluate(async (bytes) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(bytes)], "pasted.jpg", { type: "image/jpeg" }));
    window.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer }));
  }, [...photo]);
  await page.getByText("1 image").waitFor();
  await page.getByText("Parameters", { exact: true }).first().click();
  const params = page.getByRole("textbox", { name: "Parameters" });
  await params.fill("{nonsense");
  await page.getByText("This is not a JSON object.").waitFor();
  await params.fill('{"threshold": 0.5}');
  await page.getByRole("button", { name: "Run Inference" }).click();
  const legend = page.getByRole("group", { name: "Overlays" });
  await legend.getByRole("button", { name: /^cat/ }).waitFor();

  // overlays are really painted: taking the class away changes the picture
  const canvas = page.getByRole("application").locator("canvas");
  const pixels = () => canvas.evaluate((element: HTMLCanvasElement) => element.toDataURL());
  await expect.poll(async () => (await pixels()).length).toBeGreaterThan(5000);
  const drawn = await pixels();
  await legend.getByRole("button", { name: /^cat/ }).click();
  await expect.poll(pixels).not.toBe(drawn);
  await legend.getByRole("slider").fill("0.5");
  await page.getByText("Score at least 0.50").waitFor();
  await page.getByRole("application").focus();
  const before = await page.getByText(/^\d+ %$/).first().textContent();
  await page.keyboard.press("+");
  await expect.poll(() => page.getByText(/^\d+ %$/).first().textContent()).not.toBe(before);

  await page.getByText('"cat"').waitFor();
  await page.getByText("threshold").waitFor();
  for (const name of ["page.html", "drawing.svg"]) {
    const link = page.getByRole("link", { name: `Download ${name}` });
    expect(await page.locator("img, iframe, embed, object").evaluateAll((all, part) => all.filter((each) => (each as HTMLImageElement).src?.includes(part)).length, name)).toBe(0);
    const response = await fetch((await link.getAttribute("href")) ?? "");
    expect(response.headers.get("content-disposition")).toContain("attachment");
    expect(response.headers.get("content-type")).not.toMatch(/html|svg/);
  }
  const [zip] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download all as ZIP" }).click()]);
  expect(Object.keys(unzipSync(new Uint8Array(readFileSync(await zip.path())))).sort()).toEqual(["a.png", "b.png", "drawing.svg", "page.html"]);

  await page.getByRole("button", { name: "Run with another version" }).click();
  await page.getByLabel("Version").selectOption({ label: "1.0.0" });
  await page.getByRole("button", { name: "Next: Upload Image" }).click();
  await page.getByRole("button", { name: "Run Inference" }).click();
  await page.getByRole("link", { name: "Download gray.png" }).waitFor();
  await context.close();
});

it("shows a job's failure with its line, its time, its origin, and cancels a running one", async () => {
  const version = await readyVersion(owner, gray.model, package_(BOXES.replace("if params", "import time\n    time.sleep(params.get('wait', 0))\n    if params")), "3.0.0");
  const { page, context } = await open(browser);
  await logIn(page, owner.name);
  await page.goto(`/run?model=${gray.model}&version=${version}`);
  await live(page);
  await page.getByRole("button", { name: "Use a sample image" }).click();
  await page.getByText("Parameters", { exact: true }).first().click();
  await page.getByRole("textbox", { name: "Parameters" }).fill('{"fail": true}');
  await page.getByRole("button", { name: "Run Inference" }).click();
  await page.getByText("MODEL_ERROR").waitFor();
  await page.getByText(/predict\.py:\d+: ValueError: asked to fail/).first().waitFor();
  await page.getByRole("link", { name: "Open the job" }).click();
  await page.getByText("Provenance").waitFor();
  // image, package and input; the version they belong to is read after the job
  await expect.poll(() => page.getByText(/^sha256:[0-9a-f]{12}$/).count()).toBe(3);
  expect(await page.locator("dl", { hasText: "Model load" }).getByText(/ms|s$/).count()).toBeGreaterThan(3);

  const job = await api<{ job_id: string; upload_url: string }>(owner, "POST", "/api/jobs/", { version_id: version, params: { wait: 45 } });
  await fetch(job.upload_url, { method: "PUT", body: readFileSync(`${root}example-model/sample.jpg`) });
  await api(owner, "POST", `/api/jobs/${job.job_id}/run`);
  await page.goto(`/jobs/${job.job_id}`);
  await page.getByText("Running", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Cancel job" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel job" }).click();
  await page.getByText("Canceled", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Delete job" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete job" }).click();
  await page.waitForURL("**/jobs");
  await context.close();
});

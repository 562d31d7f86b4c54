import { type ExecFileException, execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { type Account, account, launch, logIn, noFaults, open, PASSWORD, photo, readyModel, root, runJob } from "./harness";

const python = process.env.PYTHON ?? `${root}.venv/bin/python`;
let browser: Browser;
let owner: Account;
let version: string;
let folder: string;
const snippets: Record<string, string> = {};
beforeAll(async () => {
  browser = await launch();
  owner = await account("usage");
  const made = await readyModel(owner);
  version = made.version;
  folder = mkdtempSync(`${tmpdir()}/clinai-usage-`);
  writeFileSync(`${folder}/image.png`, photo);
  const { page, context } = await open(browser);
  await logIn(page, owner.name);
  await page.goto(`/models/${made.model}?tab=usage`);
  await page.locator("figure", { hasText: "NATS" }).last().waitFor();
  for (const figure of await page.locator("figure").all()) {
    const label = (await figure.locator("figcaption").textContent())?.trim() ?? "";
    snippets[label] = ((await figure.locator("pre").textContent()) ?? "").replaceAll('password":"…"', `password":"${PASSWORD}"`).replaceAll('"password": "…"', `"password": "${PASSWORD}"`);
  }
  await context.close();
});
afterAll(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});
afterEach(noFaults);

/** Run a program as a user would, in a folder with their image. */
const run = (command: string, args: string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    execFile(command, args, { cwd: folder, timeout: 180_000 }, (error: ExecFileException | null, stdout, stderr) => (error ? reject(new Error(`${error.message}\n${stderr}`)) : resolve(stdout)));
  });

it("the curl snippet works as it stands", async () => {
  const answer = JSON.parse(await run("bash", ["-euc", snippets.curl ?? ""])) as { status: string; outputs: { name: string }[] };
  expect(answer).toMatchObject({ status: "SUCCEEDED", outputs: [{ name: "gray.png" }] });
});

it("the Python snippet works as it stands and leaves the outputs in the folder", async () => {
  expect(await run(python, ["-c", snippets.Python ?? ""])).toContain("SUCCEEDED");
  expect(readFileSync(`${folder}/gray.png`).subarray(1, 4).toString()).toBe("PNG");
});

it("the NATS snippet hears of a job's end", async () => {
  const env = readFileSync(`${process.env.CLINAI_DATA ?? `${root}.clinai`}/clinai.env`, "utf8");
  const address = new URL(/^CLINAI_NATS_URL=(.+)$/m.exec(env)?.[1] ?? "");
  // credentials come from the operator, and a test's platform listens elsewhere
  const code = (snippets.NATS ?? "")
    .replace('user="…"', `user="${decodeURIComponent(address.username)}"`)
    .replace('password="…"', `password="${decodeURIComponent(address.password)}"`)
    .replace(":4222", `:${address.port}`);
  const program = spawn(python, ["-u", "-c", code]);
  try {
    let heard = "";
    program.stdout.on("data", (data) => (heard += String(data)));
    program.stderr.on("data", (data) => (heard += String(data)));
    const job = await runJob(owner, version);
    await expect.poll(() => heard).toContain(job);
  } finally {
    program.kill();
  }
});

import { execFile, execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { strToU8, zipSync } from "fflate";
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { expect, onTestFailed } from "vitest";

export const root = fileURLToPath(new URL("../..", import.meta.url));
const data = process.env.CLINAI_DATA ?? `${root}.clinai`;

/** The platform under test: CLINAI_URL, else the one whose data folder is CLINAI_DATA (default .clinai). */
export const url = process.env.CLINAI_URL ?? started();

function started(): string {
  try {
    const port = /^CLINAI_EDGE_PORT=(\d+)$/m.exec(readFileSync(`${data}/clinai.env`, "utf8"))?.[1];
    return `http://127.0.0.1:${port ?? "8000"}`;
  } catch {
    throw new Error(`no platform: start one (make up), or set CLINAI_URL; ${data}/clinai.env is not there`);
  }
}

export const PASSWORD = "correct horse battery";

export const GOOD = `from PIL import Image


def run(input_path: str, output_dir: str) -> dict:
    image = Image.open(input_path)
    print(f"{image.width}x{image.height}")
    image.convert("L").save(f"{output_dir}/gray.png")
    return {"width": image.width, "height": image.height}
`;

export const pack = (files: Record<string, string | Uint8Array>): Buffer =>
  Buffer.from(zipSync(Object.fromEntries(Object.entries(files).map(([name, body]) => [name, typeof body === "string" ? strToU8(body) : body]))));
export const package_ = (predict: string, more: Record<string, string> = {}): Buffer => pack({ "predict.py": predict, "requirements.txt": "Pillow\n", ...more });
export const photo = readFileSync(`${root}example-model/sample.jpg`);

export const launch = (): Promise<Browser> =>
  chromium.launch({ executablePath: execFileSync(`${root}deploy/chromium.sh`, { encoding: "utf8" }).trim(), args: ["--no-sandbox", "--disable-dev-shm-usage"] });

/** How long anything may take on a machine that has much else to do; what is there sooner is not waited for. */
const PATIENCE_MS = 90_000;

let counter = 0;
export const newName = (kind: string): string => `${kind}${Date.now().toString(36)}${(counter += 1)}`;

/** Faults that no test may leave behind: script errors, refused by the policy, failed requests nobody asked to fail. */
export const faults: string[] = [];

export function watch(page: Page, expected: RegExp = /^$/): Page {
  page.on("pageerror", (error) => faults.push(`${page.url()}: ${error.message}`));
  page.on("console", (message) => {
    const text = message.text();
    if (message.type() === "error" && !/status of (400|401|404|409)|WebSocket|ERR_INTERNET_DISCONNECTED|ERR_CONNECTION_RE(SET|FUSED)|ERR_NETWORK_CHANGED|50[234]/.test(text) && !expected.test(text)) faults.push(`${page.url()}: ${text}`);
  });
  return page;
}

export async function open(browser: Browser, options: BrowserContextOptions = {}): Promise<{ context: BrowserContext; page: Page }> {
  const context = await browser.newContext({ baseURL: url, ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = watch(await context.newPage());
  // a container that starts on this machine is a change of the network to its browser, which ends what is under way
  const goto = page.goto.bind(page);
  page.goto = (...to) => goto(...to).catch((error: unknown) => (/ERR_NETWORK_CHANGED/.test(String(error)) ? goto(...to) : Promise.reject(error as Error)));
  // a set-up has pages, too, and no test that could fail
  if (expect.getState().currentTestName) onTestFailed(() => tell(page));
  return { context, page };
}

/** What the page showed when its test failed. */
async function tell(page: Page): Promise<void> {
  if (page.isClosed()) return;
  const shown = await page.locator("body").ariaSnapshot({ timeout: 5_000 }).catch((error: unknown) => String(error));
  console.log(`${page.url()} showed\n${shown.slice(0, 4000)}`);
}

export interface Account {
  name: string;
  token: string;
}

/** The REST API as the same account, for what a test needs but is not about. */
export async function api<T>(account: Account, method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(new URL(path, url), {
    method,
    headers: { authorization: `Bearer ${account.token}`, ...(body !== undefined && { "content-type": "application/json" }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return (text ? JSON.parse(text) : null) as T;
}

async function post<T>(path: string, body: unknown): Promise<T> {
  const response = await fetch(new URL(path, url), { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

export async function account(kind = "web"): Promise<Account> {
  const name = newName(kind);
  await post("/api/users/register", { username: name, email: `${name}@example.org`, password: PASSWORD });
  return logInByApi(name, PASSWORD);
}

export async function logInByApi(name: string, password: string): Promise<Account> {
  const { access_token } = await post<{ access_token: string }>("/api/users/login", { username: name, password });
  return { name, token: access_token };
}

/** The operator's account, from the file that the launcher wrote. */
export function operatorPassword(): string {
  const found = /^operator\s+\S+\s+(\S+)$/m.exec(readFileSync(`${data}/passwords.txt`, "utf8"));
  if (!found?.[1]) throw new Error("passwords.txt names no operator");
  return found[1];
}

export async function logIn(page: Page, name: string, password = PASSWORD): Promise<void> {
  await page.goto("/login");
  await page.getByLabel("Username").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.waitForURL("**/dashboard");
}

export async function put(address: string, body: Uint8Array): Promise<void> {
  const response = await fetch(address, { method: "PUT", body: body as Uint8Array<ArrayBuffer> });
  if (!response.ok) throw new Error(`PUT: ${response.status} ${await response.text()}`);
}

interface Made {
  model: string;
  version: string;
}

/** A model with a version that is READY, over the API. */
export async function readyModel(owner: Account, { name = "Gray", isPublic = false, zip = package_(GOOD), number = "1.0.0" } = {}): Promise<Made> {
  const model = await api<{ id: string }>(owner, "POST", "/api/models/", { name, description: "For tests", is_public: isPublic });
  return { model: model.id, version: await readyVersion(owner, model.id, zip, number) };
}

export async function readyVersion(owner: Account, model: string, zip: Buffer, number: string): Promise<string> {
  const made = await api<{ version_id: string; upload_url: string }>(owner, "POST", "/api/models/versions", { model_id: model, version_number: number });
  await put(made.upload_url, zip);
  await api(owner, "POST", `/api/models/versions/${made.version_id}/build`);
  await ended(owner, `/api/models/versions/${made.version_id}`, "READY");
  return made.version_id;
}

export async function runJob(owner: Account, version: string, image: Uint8Array = photo, params = {}): Promise<string> {
  const job = await api<{ job_id: string; upload_url: string }>(owner, "POST", "/api/jobs/", { version_id: version, params });
  await put(job.upload_url, image);
  await api(owner, "POST", `/api/jobs/${job.job_id}/run`);
  return job.job_id;
}

export async function ended(owner: Account, path: string, status: string): Promise<void> {
  for (let waited = 0; waited < 240_000; waited += 250) {
    const found = await api<{ status: string; error_message?: string }>(owner, "GET", path);
    if (found.status === status) return;
    if (["FAILED", "CANCELED", "READY", "SUCCEEDED"].includes(found.status)) throw new Error(`${path} ended ${found.status}: ${found.error_message ?? ""}`);
    await new Promise((done) => setTimeout(done, 250));
  }
  throw new Error(`${path} did not become ${status}`);
}

/** Kill a part of the platform; its supervisor starts it again. */
export async function killPart(name: string): Promise<void> {
  const python = process.env.PYTHON ?? `${root}.venv/bin/python`;
  await promisify(execFile)(python, ["-m", "deploy", "part", "kill", name], { cwd: root, env: { ...process.env, CLINAI_DATA: data } });
}

export async function upload(page: Page, zip: Buffer, name = "model.zip"): Promise<void> {
  await page.setInputFiles("input[type=file][accept*=zip]", { name, mimeType: "application/zip", buffer: zip });
}

export const live = (page: Page): Promise<void> => page.locator('[data-testid="connection"]:visible', { hasText: "Live" }).waitFor();

/** The page has its heading (or says why it has none) and nothing of it is still loading. */
export async function settled(page: Page): Promise<void> {
  await page.locator("h1, [role=dialog] h2, [role=alert]").first().waitFor();
  await page.waitForFunction(() => !document.querySelector("#root:empty, .skeleton, [role=status][aria-label=Loading]"));
}

export function noFaults(): void {
  expect(faults.splice(0)).toEqual([]);
}

// A platform that runs: its address, an account of its own, and what a page needs to have something to show.
import { execFile, execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { strToU8, zipSync } from "fflate";
import { chromium } from "playwright-core";

export const root = fileURLToPath(new URL("../..", import.meta.url));
const data = process.env.CLINAI_DATA ?? `${root}.clinai`;
export const PASSWORD = "correct horse battery";

function started() {
  try {
    const port = /^CLINAI_EDGE_PORT=(\d+)$/m.exec(readFileSync(`${data}/clinai.env`, "utf8"))?.[1];
    return `http://127.0.0.1:${port ?? "8000"}`;
  } catch {
    throw new Error(`no platform: start one (make up), or set CLINAI_URL; ${data}/clinai.env is not there`);
  }
}

export const url = process.env.CLINAI_URL ?? started();
export const launch = (args = []) =>
  chromium.launch({ executablePath: execFileSync(`${root}deploy/chromium.sh`, { encoding: "utf8" }).trim(), args: ["--no-sandbox", "--disable-dev-shm-usage", ...args] });

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function request(method, path, body, token) {
  for (;;) {
    const response = await fetch(new URL(path, url), {
      method,
      headers: { ...(token && { authorization: `Bearer ${token}` }), ...(body !== undefined && { "content-type": "application/json" }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (response.status === 429) {
      await pause(1000 * Number(response.headers.get("retry-after") ?? 1));
      continue;
    }
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }
}

/** An account over REST. */
export class Account {
  constructor(name, token) {
    this.name = name;
    this.token = token;
  }

  static async make(name) {
    await request("POST", "/api/users/register", { username: name, email: `${name}@example.org`, password: PASSWORD });
    return Account.logIn(name);
  }

  static async logIn(name, password = PASSWORD) {
    return new Account(name, (await request("POST", "/api/users/login", { username: name, password })).access_token);
  }

  api(method, path, body) {
    return request(method, path, body, this.token);
  }

  model(name, description = "", is_public = false) {
    return this.api("POST", "/api/models/", { name, description, is_public });
  }

  /** Upload a version and start its build; `files` are name → text or bytes. */
  async build(model, number, files) {
    const made = await this.api("POST", "/api/models/versions", { model_id: model, version_number: number });
    const zip = zipSync(Object.fromEntries(Object.entries(files).map(([name, body]) => [name, typeof body === "string" ? strToU8(body) : body])));
    await put(made.upload_url, zip);
    await this.api("POST", `/api/models/versions/${made.version_id}/build`);
    return made.version_id;
  }

  async job(version, image, params = {}) {
    const made = await this.api("POST", "/api/jobs/", { version_id: version, params });
    await put(made.upload_url, image);
    await this.api("POST", `/api/jobs/${made.job_id}/run`);
    return made.job_id;
  }

  /** Wait until an object is in one of these states. */
  async until(path, ...wanted) {
    for (let waited = 0; waited < 180_000; waited += 200) {
      const found = await this.api("GET", path);
      if (wanted.includes(found.status)) return found;
      await pause(200);
    }
    throw new Error(`${path} did not become ${wanted.join(" or ")}`);
  }
}

async function put(address, body) {
  const response = await fetch(address, { method: "PUT", body });
  if (!response.ok) throw new Error(`PUT: ${response.status}`);
}

export function operatorPassword() {
  const found = /^operator\s+\S+\s+(\S+)$/m.exec(readFileSync(`${data}/passwords.txt`, "utf8"));
  if (!found) throw new Error(`${data}/passwords.txt names no operator`);
  return found[1];
}

/** `python -m deploy part kill|stop|start NAME` of this platform. */
export async function part(action, name) {
  const python = process.env.PYTHON ?? `${root}.venv/bin/python`;
  await promisify(execFile)(python, ["-m", "deploy", "part", action, name], { cwd: root, env: { ...process.env, CLINAI_DATA: data } });
}

export async function signIn(page, name, password = PASSWORD) {
  await page.goto(`${url}/login`);
  await page.getByLabel("Username").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.waitForURL("**/dashboard");
}

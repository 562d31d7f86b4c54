// Write src/shared/api/schema.gen.ts, the types of the API, from the gateway's own OpenAPI document.
//   npm run api             write it
//   npm run api -- --check  fail when it is not what the gateway says now (part of `npm run lint`)
//   npm run api -- http://127.0.0.1:8000   from a running platform instead
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import openapiTS, { astToString } from "openapi-typescript";

const root = fileURLToPath(new URL("../..", import.meta.url));
const target = fileURLToPath(new URL("../src/shared/api/schema.gen.ts", import.meta.url));
const HEAD = "// The API's own types, from its OpenAPI document: `npm run api` writes them. Do not edit.\n";

async function fromPlatform(url) {
  const response = await fetch(new URL("/docs/openapi.json", url));
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return response.json();
}

async function fromSource() {
  const python = process.env.PYTHON ?? `${root}.venv/bin/python`;
  if (!existsSync(python)) throw new Error(`${python} is missing: run \`make .venv\` first, or set PYTHON`);
  const { stdout } = await promisify(execFile)(python, ["web/scripts/openapi.py"], { cwd: root, env: { ...process.env, PYTHONPATH: root }, maxBuffer: 64 * 1024 ** 2 });
  return JSON.parse(stdout);
}

const args = process.argv.slice(2);
const url = args.find((each) => each.startsWith("http"));
const written = HEAD + astToString(await openapiTS(url ? await fromPlatform(url) : await fromSource()));
if (args.includes("--check")) {
  const kept = await readFile(target, "utf8").catch(() => "");
  if (kept !== written) {
    console.error("src/shared/api/schema.gen.ts is not what the gateway's OpenAPI document says: run `npm run api` in web/");
    process.exitCode = 1;
  }
} else await writeFile(target, written);

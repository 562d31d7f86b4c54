// Write src/shared/api/schema.d.ts from openapi.json, or from a running platform: npm run api -- http://127.0.0.1:8000
import { readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";

const [, , platform] = process.argv;
if (platform) {
  const response = await fetch(new URL("/docs/openapi.json", platform));
  if (!response.ok) throw new Error(`${platform} answered ${response.status}`);
  await writeFile("openapi.json", `${JSON.stringify(await response.json(), null, 2)}\n`);
}
const ast = await openapiTS(JSON.parse(await readFile("openapi.json", "utf8")));
await writeFile("src/shared/api/schema.d.ts", astToString(ast));

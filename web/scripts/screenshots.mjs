// Every page at three widths, light and dark, into web/screenshots; also axe and the console. npm run screenshots [name…]
import { mkdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { chromium } from "playwright-core";
import { ids, pretend } from "./fixtures.mjs";

const CSP =
  "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' blob: data: http://127.0.0.1:9; connect-src 'self' ws://127.0.0.1:* http://127.0.0.1:9; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".woff2": "font/woff2" };
const PAGES = [
  ["landing", "/", { signedIn: false }],
  ["login", "/login", { signedIn: false }],
  ["register", "/register", { signedIn: false }],
  ["dashboard", "/dashboard"],
  ["dashboard-first", "/dashboard", { empty: true }],
  ["models", "/models"],
  ["models-empty", "/models", { empty: true }],
  ["models-create", "/models?create=true"],
  ["model-building", `/models/${ids.model}?version=${ids.building}`],
  ["model-ready", `/models/${ids.model}?version=${ids.ready}`],
  ["model-failed", `/models/${ids.model}?version=${ids.failed}`],
  ["model-usage", `/models/${ids.model}?tab=usage`],
  ["model-card", `/models/${ids.model}?tab=card`],
  ["model-settings", `/models/${ids.model}?tab=settings`],
  ["run", "/run"],
  ["run-images", `/run?version=${ids.ready}`],
  ["jobs", "/jobs"],
  ["jobs-empty", "/jobs", { empty: true }],
  ["job", `/jobs/${ids.succeeded}`],
  ["job-failed", `/jobs/${ids.jobFailed}`],
  ["job-running", `/jobs/${ids.running}`],
  ["job-missing", "/jobs/nothing/here"],
  ["account", "/account"],
  ["admin", "/admin?tab=workers"],
];
const WIDTHS = [390, 768, 1440];

const server = createServer(async (request, response) => {
  const path = new URL(request.url, "http://x").pathname;
  const file = join("dist", extname(path) ? path : "index.html");
  try {
    response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream", "content-security-policy": CSP });
    response.end(await readFile(file));
  } catch {
    response.end();
  }
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const origin = `http://127.0.0.1:${server.address().port}`;
const axe = await readFile("node_modules/axe-core/axe.min.js", "utf8");
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage"] });
await mkdir("screenshots", { recursive: true });

const wanted = process.argv.slice(2);
let faults = 0;
for (const [name, path, options = {}] of PAGES.filter(([name]) => !wanted.length || wanted.includes(name))) {
  for (const theme of ["light", "dark"]) {
    const context = await browser.newContext({ colorScheme: theme, viewport: { width: 1440, height: 900 }, reducedMotion: "reduce" });
    await pretend(context, options);
    const page = await context.newPage();
    const say = (kind, text) => {
      faults += 1;
      console.log(`${name} ${theme}: ${kind}: ${text}`);
    };
    page.on("console", (message) => message.type() === "error" && !/40[14]/.test(message.text()) && say("console", message.text()));
    page.on("pageerror", (error) => say("error", error.message));
    await page.goto(origin + path, { waitUntil: "networkidle" });
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: width === 390 ? 844 : 900 });
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 0) say("layout", `${wide} px too wide at ${width}`);
      await page.screenshot({ path: `screenshots/${name}-${width}-${theme}.png`, fullPage: width !== 768 && !/create|^jobs$/.test(name) });
    }
    // the driver runs this past the page's policy, as a debugger would
    await page.evaluate(axe);
    const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    for (const each of found.violations) {
      if (["serious", "critical"].includes(each.impact)) say("axe", `${each.id}: ${each.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")}`);
    }
    await context.close();
  }
}
await browser.close();
server.close();
console.log(faults ? `${faults} faults` : "no faults");
process.exitCode = faults ? 1 : 0;

// Every page and state at three widths, light and dark, from a running platform, into web/screenshots: npm run screenshots
//   npm run screenshots -- model-ready jobs   only these
// Seeds an account of its own with the example models; says what is too wide and what the console said.
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { Account, launch, operatorPassword, PASSWORD, root, signIn, url } from "./platform.mjs";

const WIDTHS = [
  [390, 844],
  [768, 1024],
  [1440, 900],
];
const wanted = process.argv.slice(2);
let faults = 0;
const say = (text) => console.log(text);
const fault = (text) => {
  faults += 1;
  say(`fault: ${text}`);
};

async function filesOf(folder) {
  const names = (await readdir(`${root}${folder}`)).filter((name) => !/\.(jpg|png)$/.test(name) && name !== "__pycache__");
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, new Uint8Array(await readFile(`${root}${folder}/${name}`))])));
}

async function seed(owner) {
  const photo = new Uint8Array(await readFile(`${root}example-model/sample.jpg`));
  const ids = {};
  const ready = (version) => owner.until(`/api/models/versions/${version}`, "READY", "FAILED");
  const gray = await owner.model("Grayscale", "Colours to grays: the example that comes with ClinAI.");
  const faces = await owner.model("Face finder", "Finds faces with OpenCV's own cascade and returns boxes with scores.", true);
  const segments = await owner.model("Colour regions", "Cuts a picture into regions of similar colour and returns their outlines.");
  await owner.model("Cell counter", "Counts nuclei in stained tissue.");
  say("seed: building three models");
  const first = await owner.build(gray.id, "1.0.0", await filesOf("example-model"));
  const found = await owner.build(faces.id, "2.1.0", await filesOf("docs/examples/faces"));
  const cut = await owner.build(segments.id, "0.9.0", await filesOf("docs/examples/segments"));
  for (const version of [first, found, cut]) await ready(version);
  const bad = await owner.build(gray.id, "1.1.0", { "predict.py": "from PIL import Image\n\n\ndef run(path):\n    return {}\n", "requirements.txt": "Pillow\n" });
  await ready(bad);
  say("seed: running jobs");
  const jobs = [];
  for (let i = 0; i < 18; i += 1) jobs.push(await owner.job([first, found, cut][i % 3], photo));
  const broken = await owner.job(first, new TextEncoder().encode("this is no image"));
  for (const job of [...jobs, broken]) await owner.until(`/api/jobs/${job}`, "SUCCEEDED", "FAILED");
  const shown = await owner.job(found, photo);
  const regions = await owner.job(cut, photo);
  for (const job of [shown, regions]) await owner.until(`/api/jobs/${job}`, "SUCCEEDED");
  Object.assign(ids, { gray: gray.id, faces: faces.id, first, bad, found, shown, regions, broken, many: jobs.slice(0, 6).join() });
  return ids;
}

const pages = (ids) => [
  ["dashboard", "/dashboard"],
  ["models", "/models"],
  ["models-create", "/models?create=true"],
  ["models-nothing", "/models?q=nothing+like+this"],
  ["model-ready", `/models/${ids.gray}?version=${ids.first}`],
  ["model-failed", `/models/${ids.gray}?version=${ids.bad}`],
  ["model-upload", `/models/${ids.gray}?upload=true`],
  ["model-usage", `/models/${ids.gray}?tab=usage`],
  ["model-card", `/models/${ids.faces}?tab=card`],
  ["model-settings", `/models/${ids.gray}?tab=settings`],
  ["run", `/run?model=${ids.gray}`],
  ["run-images", `/run?version=${ids.first}&sample=true`],
  ["run-results", `/run?model=${ids.gray}&version=${ids.first}&jobs=${ids.many}`],
  ["jobs", "/jobs"],
  ["jobs-nothing", "/jobs?status=CANCELED"],
  ["job", `/jobs/${ids.shown}`],
  ["job-masks", `/jobs/${ids.regions}`],
  ["job-failed", `/jobs/${ids.broken}`],
  ["job-missing", "/jobs/00000000-0000-7000-8000-000000000000"],
  ["account", "/account"],
];
const ADMIN = ["queue", "workers", "users", "dead", "disk"].map((tab) => [`admin-${tab}`, `/admin?tab=${tab}`]);
const PICTURES = { "dashboard light": ["dashboard", 1440, 900], "job light": ["job", 1440, 1080], "run-results light": ["phone", 390, 844] };
const OUTSIDE = [
  ["landing", "/"],
  ["login", "/login"],
  ["register", "/register"],
  ["nowhere", "/nowhere"],
];

async function settle(page) {
  await page.waitForLoadState("networkidle");
  await page.evaluate(() => document.fonts.ready.then(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))));
  await page.waitForTimeout(350);
}

async function shoot(page, name, theme) {
  for (const [width, height] of WIDTHS) {
    await page.setViewportSize({ width, height });
    await settle(page);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (wide > 0) fault(`${name}: ${wide} px too wide at ${width}`);
    const whole = width !== 768 && !["models-create", "palette"].includes(name);
    // a picture of the whole page is one tall window: what keeps to an edge of it keeps to that one's
    if (whole) await page.setViewportSize({ width, height: Math.max(height, await page.evaluate(() => document.documentElement.scrollHeight)) });
    if (whole) await settle(page);
    await page.screenshot({ path: `screenshots/${name}-${width}-${theme}.png` });
  }
}

/** A picture for the README: WebP, below 150 KB. */
async function picture(page, name, width, height) {
  await page.setViewportSize({ width, height });
  await settle(page);
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send("Page.captureScreenshot", { format: "webp", quality: 82 });
  await session.detach();
  const bytes = Buffer.from(data, "base64");
  if (bytes.length > 150 * 1024) fault(`docs/images/${name}.webp has ${bytes.length} bytes`);
  await writeFile(`${root}docs/images/${name}.webp`, bytes);
}

async function open(browser, theme) {
  const context = await browser.newContext({ colorScheme: theme, viewport: { width: 1440, height: 900 }, reducedMotion: "reduce" });
  const page = await context.newPage();
  page.on("console", (message) => message.type() === "error" && !/status of 40[14]|ERR_NETWORK_CHANGED|ERR_FAILED|ERR_INTERNET_DISCONNECTED|WebSocket/.test(message.text()) && fault(`${page.url()}: ${message.text()}`));
  page.on("pageerror", (error) => fault(`${page.url()}: ${error.message}`));
  return { context, page };
}

async function takeAll(browser, theme, list, user) {
  const chosen = list.filter(([name]) => !wanted.length || wanted.includes(name));
  if (!chosen.length) return;
  const { context, page } = await open(browser, theme);
  if (user) await signIn(page, user.name, user.password ?? PASSWORD);
  for (const [name, path] of chosen) {
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.goto(url + path);
    await shoot(page, name, theme);
    const [title, width, height] = PICTURES[`${name} ${theme}`] ?? [];
    if (title) await picture(page, title, width, height);
  }
  await context.close();
}

/** States that last a moment only. */
async function moments(browser, theme, owner, ids) {
  const is = (name) => !wanted.length || wanted.includes(name);
  const { context, page } = await open(browser, theme);
  if (is("dashboard-first") || is("models-empty") || is("jobs-empty") || is("run-empty")) {
    const fresh = await Account.make(`new${theme[0]}${Date.now().toString(36)}`);
    await signIn(page, fresh.name);
    for (const [name, path] of [["dashboard-first", "/dashboard"], ["models-empty", "/models"], ["jobs-empty", "/jobs"], ["run-empty", "/run"]]) {
      await page.goto(url + path);
      await shoot(page, name, theme);
    }
  }
  await context.close();
  const second = await open(browser, theme);
  await signIn(second.page, owner.name);
  await second.page.locator('[data-testid="connection"]:visible', { hasText: "Live" }).waitFor();
  if (is("palette")) {
    await second.page.keyboard.press("Control+k");
    await second.page.getByRole("combobox").waitFor();
    await shoot(second.page, "palette", theme);
  }
  if (is("model-building")) {
    const slow = await owner.build(ids.gray, "1.2.0", { "predict.py": "import time\n\ntime.sleep(45)\n\n\ndef run(input_path: str, output_dir: str) -> dict:\n    return {}\n", "requirements.txt": "Pillow\nnumpy\n" });
    await second.page.goto(`${url}/models/${ids.gray}?version=${slow}`);
    await second.page.getByText("== Smoke test").waitFor({ timeout: 60_000 });
    await second.page.waitForTimeout(1500);
    await shoot(second.page, "model-building", theme);
    if (theme === "dark") await picture(second.page, "build", 1440, 900);
    await owner.api("POST", `/api/models/versions/${slow}/cancel`);
    await owner.api("DELETE", `/api/models/versions/${slow}`);
  }
  if (is("loading")) {
    await second.page.setViewportSize({ width: 1440, height: 900 });
    await second.context.route(/\/api\/(jobs|models)\//, () => undefined);
    await second.page.goto(`${url}/dashboard`, { waitUntil: "domcontentloaded" });
    await second.page.getByRole("status", { name: "Loading" }).first().waitFor();
    for (const [width, height] of WIDTHS) {
      await second.page.setViewportSize({ width, height });
      await second.page.waitForTimeout(200);
      await second.page.screenshot({ path: `screenshots/loading-${width}-${theme}.png` });
    }
  }
  await second.context.close();
  if (is("stale") || is("error")) {
    const third = await open(browser, theme);
    await signIn(third.page, owner.name);
    await third.page.goto(`${url}/jobs`);
    await third.page.locator('[data-testid="connection"]:visible', { hasText: "Live" }).waitFor();
    await third.context.setOffline(true);
    await third.page.getByText(/^Reconnecting, showing/).waitFor({ timeout: 60_000 });
    await shoot(third.page, "stale", theme);
    await third.context.setOffline(false);
    await third.context.route(/\/api\/(jobs|models)\//, (route) => route.abort());
    await third.page.goto(`${url}/dashboard`);
    await third.page.getByRole("alert").first().waitFor({ timeout: 60_000 });
    await shoot(third.page, "error", theme);
    await third.context.close();
  }
}

const browser = await launch();
await rm("screenshots", { recursive: true, force: true });
await mkdir("screenshots", { recursive: true });
const owner = await Account.make(`maria${Date.now().toString(36).slice(-4)}`);
const ids = await seed(owner);
for (const theme of ["light", "dark"]) {
  say(`pages, ${theme}`);
  await takeAll(browser, theme, OUTSIDE, null);
  await takeAll(browser, theme, pages(ids), owner);
  await takeAll(browser, theme, ADMIN, { name: "admin", password: operatorPassword() });
  await moments(browser, theme, owner, ids);
}
await browser.close();
if (process.env.KEEP_SEED === undefined) for (const { id, owner_id } of (await owner.api("GET", "/api/models/")).items) if (owner_id === (await owner.api("GET", "/api/users/me")).id) await owner.api("DELETE", `/api/models/${id}`);
say(faults ? `${faults} faults` : "no faults");
process.exitCode = faults ? 1 : 0;

// The page's numbers, measured in chromium against a running platform, as JSON on stdout: npm run bench
//   BENCH_EVENTS  events of the memory run (default 600)
//   BENCH_ROUNDS  cold visits of each page, and scrolls of each list (default 3)
// Every sample is told; what they come to is for the reader to work out.
import { readFileSync } from "node:fs";
import { Account, launch, root, signIn, url } from "./platform.mjs";

const EVENTS = Number(process.env.BENCH_EVENTS ?? 600);
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3);
/** Pixels a second. */
const SPEED = 6_000;
const LINES = 10_000;
const JOBS = 1_000;
const CHATTY = `def run(input_path: str, output_dir: str) -> dict:
    for i in range(${LINES}):
        print(f"\\x1b[32mstep\\x1b[0m {i:05d}: loss {1 / (i + 1):.6f}, learning rate 0.001, batch of 32 images")
    return {"lines": ${LINES}}
`;
const say = (text) => process.stderr.write(`${text}\n`);
const round = (value, digits = 1) => Number(value.toFixed(digits));
const quantile = (values, q) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(q * values.length))] ?? 0;
/** [{a: 1}, {a: 2}] → {a: [1, 2]} */
const columns = (rows) => Object.fromEntries(Object.keys(rows[0]).map((name) => [name, rows.map((row) => row[name])]));

/** Largest contentful paint, blocking time and layout shift of one cold visit, and what JavaScript it took. */
async function visit(browser, path, state) {
  const context = await browser.newContext({ viewport: { width: 1350, height: 940 }, ...(state && { storageState: state }) });
  const page = await context.newPage();
  await page.addInitScript(() => {
    const seen = { lcp: 0, cls: 0, tasks: [] };
    Object.assign(window, { seen });
    const on = (type, work) => new PerformanceObserver((list) => list.getEntries().forEach(work)).observe({ type, buffered: true });
    on("largest-contentful-paint", (entry) => (seen.lcp = entry.startTime));
    on("layout-shift", (entry) => (seen.cls += entry.hadRecentInput ? 0 : entry.value));
    on("longtask", (entry) => seen.tasks.push(entry.duration));
  });
  await page.goto(url + path, { waitUntil: "networkidle" });
  await page.locator("h1").first().waitFor();
  await page.waitForTimeout(1000);
  const found = await page.evaluate(() => {
    const scripts = performance.getEntriesByType("resource").filter((each) => /\.js(\?|$)/.test(each.name));
    return { ...window.seen, fcp: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0, js: scripts.reduce((sum, each) => sum + each.encodedBodySize, 0) };
  });
  await context.close();
  const blocked = found.tasks.reduce((sum, ms) => sum + Math.max(0, ms - 50), 0);
  return { fcp_ms: round(found.fcp), lcp_ms: round(found.lcp), tbt_ms: round(blocked), cls: round(found.cls, 4), js_gzip_kb: round(found.js / 1024) };
}

/** Scroll an element (or the window) as fast as a finger flings it for three seconds and time each frame. */
async function scrollRun(page, selector) {
  const session = await page.context().newCDPSession(page);
  // processor time, not time on the clock: other work on this machine does not count
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  const spent = async () => (await session.send("Performance.getMetrics")).metrics.find((each) => each.name === "TaskDuration").value;
  const began = await spent();
  const run = await page.evaluate(async ([wanted, speed]) => {
    const target = wanted ? document.querySelector(wanted) : document.scrollingElement;
    const height = target.scrollHeight - target.clientHeight;
    const frames = [];
    await new Promise((done) => {
      let first = 0;
      let last = 0;
      const frame = (now) => {
        if (!first) first = now;
        if (last) frames.push(now - last);
        last = now;
        target.scrollTop = Math.min(height, (speed * (now - first)) / 1000);
        if (now - first < 3000 && target.scrollTop < height) requestAnimationFrame(frame);
        else done();
      };
      requestAnimationFrame(frame);
    });
    return { frames, height };
  }, [selector, SPEED]);
  const cpu_ms = ((await spent()) - began) * 1000;
  await session.detach();
  return { ...run, cpu_ms };
}

const smooth = ({ frames, height, cpu_ms }) => ({
  fps: round((1000 * frames.length) / frames.reduce((sum, each) => sum + each, 0)),
  frame_p95_ms: round(quantile(frames, 0.95)),
  frame_max_ms: round(Math.max(...frames)),
  cpu_ms_a_frame: round(cpu_ms / frames.length, 2),
  cpu_share: round(cpu_ms / frames.reduce((sum, each) => sum + each, 0), 3),
  height_px: height,
});

async function heap(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  const nodes = (await session.send("Memory.getDOMCounters")).nodes;
  await session.detach();
  return { mb: usedSize / 1024 ** 2, nodes };
}

const photo = readFileSync(`${root}example-model/sample.jpg`);
const owner = await Account.make(`bench${Date.now().toString(36)}`);
say("a model that prints 10,000 lines");
const model = await owner.model("Chatty");
const version = await owner.build(model.id, "1.0.0", { "predict.py": CHATTY, "requirements.txt": "" });
await owner.until(`/api/models/versions/${version}`, "READY", "FAILED");
const chatty = await owner.job(version, photo);
await owner.until(`/api/jobs/${chatty}`, "SUCCEEDED", "FAILED");
say("1,000 jobs");
for (let made = 0; made < JOBS; made += 20) await Promise.all(Array.from({ length: 20 }, () => owner.api("POST", "/api/jobs/", { version_id: version })));

// a window that nobody looks at draws no frames
const browser = await launch(["--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows"]);
const signed = await browser.newContext();
const page = await signed.newPage();
await signIn(page, owner.name);
say("cold visits");
const PAGES = { landing: "/", dashboard: "/dashboard", model: `/models/${model.id}`, job: `/jobs/${chatty}`, jobs: "/jobs" };
const visits = Object.fromEntries(Object.keys(PAGES).map((name) => [name, []]));
for (let i = 0; i < ROUNDS; i += 1) {
  for (const [name, path] of Object.entries(PAGES)) {
    // each visit takes a session of its own: a refresh cookie is good once
    const context = await browser.newContext();
    if (name !== "landing") await signIn(await context.newPage(), owner.name);
    visits[name].push(await visit(browser, path, await context.storageState()));
    await context.close();
  }
}
const result = { pages: Object.fromEntries(Object.entries(visits).map(([name, rows]) => [name, columns(rows)])) };

say("10,000 log lines");
await page.setViewportSize({ width: 1350, height: 940 });
await page.goto(`${url}/jobs/${chatty}`);
await page.getByText(`${LINES.toLocaleString("en")} lines`).waitFor();
await page.locator("[role=log]").scrollIntoViewIfNeeded();

say("1,000 rows of jobs");
const list = await signed.newPage();
await list.setViewportSize({ width: 1350, height: 940 });
await list.goto(`${url}/jobs`);
const table = list.getByRole("table", { name: "Jobs" });
await table.waitFor();
const rowCount = async () => Number(await table.getAttribute("aria-rowcount")) - 1;
await list.bringToFront();
for (const end = Date.now() + 180_000; Date.now() < end && (await rowCount()) < JOBS; ) {
  await list.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
  await list.waitForTimeout(100);
}
const rows = await rowCount();
if (rows < JOBS) throw new Error(`the list of jobs came to ${rows} rows, not to ${JOBS}`);

say("a page without any script, to compare with");
const plain = await signed.newPage();
await plain.setViewportSize({ width: 1350, height: 940 });
await plain.setContent(`<style>p{height:56px;margin:0;border-bottom:1px solid #ddd;font:14px sans-serif}</style>${"<p>A line of text as wide as a row of the jobs</p>".repeat(JOBS)}`);

const scrolled = { log: [], jobs: [], plain: [] };
for (let i = 0; i < ROUNDS; i += 1) {
  for (const [name, on, selector] of [["log", page, "[role=log]"], ["jobs", list, null], ["plain", plain, null]]) {
    say(`scrolling: ${name}`);
    await on.bringToFront();
    await on.evaluate((wanted) => (wanted ? document.querySelector(wanted) : document.scrollingElement).scrollTo(0, 0), selector);
    await on.waitForTimeout(500);
    scrolled[name].push(smooth(await scrollRun(on, selector)));
  }
}
result.scroll = Object.fromEntries(Object.entries(scrolled).map(([name, runs]) => [name, columns(runs)]));
await plain.close();
await list.close();

say(`memory over ${EVENTS} events`);
await page.goto(`${url}/jobs`);
await page.locator('[data-testid="connection"]:visible', { hasText: "Live" }).waitFor();
const events = async (count) => {
  const one = async () => {
    const { job_id } = await owner.api("POST", "/api/jobs/", { version_id: version });
    await owner.api("POST", `/api/jobs/${job_id}/cancel`);
  };
  for (let made = 0; made < count; made += 4) await Promise.all([one(), one(), one(), one()]);
  await page.waitForTimeout(1500);
};
// the list fills to its bound and the engine compiles what it will, before anything is compared
await events(EVENTS * 2);
const heaps = [await heap(page)];
// what grows does so in every round; what is made once, in one of them
for (let i = 0; i < ROUNDS; i += 1) {
  await events(EVENTS);
  heaps.push(await heap(page));
}
result.memory = {
  events: EVENTS,
  heap_mb: heaps.map(({ mb }) => round(mb, 2)),
  bytes_an_event: heaps.slice(1).map(({ mb }, i) => Math.round(((mb - heaps[i].mb) * 1024 ** 2) / EVENTS)),
  dom_nodes: heaps.map(({ nodes }) => nodes),
};
await browser.close();
await owner.api("DELETE", `/api/models/${model.id}`);
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);

// A platform drawn from memory, for screenshots of states that a running one does not show on demand.
const id = (n) => `0199aaaa-bbbb-7ccc-8ddd-${String(n).padStart(12, "0")}`;
const ago = (s) => new Date(Date.now() - s * 1000).toISOString();
const page = (items) => ({ items, next_cursor: null });
const sha = (n) => String(n).repeat(64).slice(0, 64).replace(/[^0-9a-f]/g, "a");

const user = { id: id(1), username: "maria", email: "maria@clinic.example", role: "admin", created_at: ago(86_400 * 40) };
const model = (n, name, description, over = {}) => ({ id: id(100 + n), name, description, owner_id: user.id, is_public: false, created_at: ago(86_400 * n), ...over });
const models = [
  model(1, "Lung nodule detection", "Finds nodules on chest CT slices. Returns boxes with a score for each finding.", { is_public: true }),
  model(2, "Cell segmentation", "Outlines nuclei in H&E stained tissue."),
  model(3, "Skin lesion triage", "Benign or suspicious, from a phone photo."),
  model(4, "Fracture finder", ""),
];

const NAMES = ["fetch", "check", "resolve", "dependencies", "image", "smoke_test", "push"];
const TIMES = [84, 41, 1_240, 18_300, 2_650, 1_910, 3_400];
const phases = (n, open) => NAMES.slice(0, n).map((name, i) => ({ name, started_at: ago(6), ms: open && i === n - 1 ? null : TIMES[i] }));
const version = (n, m, number, status, over = {}) => ({
  id: id(200 + n), model_id: models[m].id, owner_id: user.id, version_number: number, status, rev: 5, docker_image: null,
  docker_image_digest: status === "READY" ? `sha256:${sha("3fa8")}` : null, package_sha256: sha("9c1e"), image_bytes: status === "READY" ? 912_000_000 : null,
  phases: status === "READY" ? phases(7) : [], build_logs: "", error_code: null, error_message: null, deadline: null,
  readme: "# Lung nodule detection\n\nA small **RetinaNet** for chest CT slices.\n\n| Set | mAP |\n|---|---|\n| LUNA16 | 0.81 |\n\n- Input: PNG or JPEG\n- Output: boxes with scores\n\n<script>alert(1)</script>\n\n```python\nrun(input_path, output_dir)\n```",
  created_at: ago(3600 * n), updated_at: ago(3600 * n - 60), ...over,
}); // prettier-ignore
const versions = [
  version(1, 0, "1.4.0", "BUILDING", { phases: phases(4, true), created_at: ago(30) }),
  version(2, 0, "1.3.2", "READY"),
  version(3, 0, "1.3.1", "FAILED", { phases: phases(2), error_code: "SIGNATURE_INVALID", error_message: "predict.py:12: run() takes (path); expected run(input_path, output_dir)" }),
  version(4, 1, "0.9.0", "READY"),
  version(5, 2, "2.0.0", "QUEUED"),
];

const ESC = "\u001b";
const log = [
  "== fetch", "18334 bytes, sha256 9c1e…", "== check", "predict.py: run(input_path, output_dir)", "== resolve", "Resolved 14 packages in 1.24s", "== dependencies",
  ...["numpy==2.2.1", "pillow==11.0.0", "torch==2.6.0+cpu", "torchvision==0.21.0+cpu", "scipy==1.15.0"].map((name) => ` ${ESC}[32m+${ESC}[0m ${name}`),
  `${ESC}[33mwarning${ESC}[0m: torch: using the CPU build`, "Downloading torch (174.1MiB)",
]; // prettier-ignore

const STATES = ["RUNNING", "QUEUED", "SUCCEEDED", "SUCCEEDED", "FAILED", "SUCCEEDED", "SUCCEEDED", "CANCELED"];
const timings = (n) => {
  const t = { queue: 4 + ((n * 7) % 23), input: 6.2, image: 1.1, start: 212, load: 148, run: 90 + ((n * 37) % 140), upload: 14.5 };
  return { ...t, total: Object.values(t).reduce((a, b) => a + b, 0) };
};
const result = { boxes: [[150, 120, 260, 230], [400, 220, 520, 330], [330, 60, 380, 110]], labels: ["nodule", "nodule", "vessel"], scores: [0.94, 0.71, 0.38], width: 640, height: 480, meta: { model: "retinanet", spacing_mm: [0.7, 0.7] } };
const job = (n, status = STATES[n % STATES.length]) => ({
  id: id(300 + n), version_id: versions[n % 3 === 0 ? 3 : 1].id, user_id: user.id, status, rev: 3, result: status === "SUCCEEDED" ? result : null, params: {},
  timings: ["SUCCEEDED", "FAILED"].includes(status) ? timings(n) : {}, input_sha256: sha("77ab"), input_size: 184_320, input_type: "image/png", input_url: "http://127.0.0.1:9/in.png",
  error_code: status === "FAILED" ? "MODEL_ERROR" : null, error_message: status === "FAILED" ? "predict.py:31: ValueError: expected 3 channels, got 1" : null,
  deadline: null, queued_at: ago(40 * n + 3), created_at: ago(40 * n + 4), updated_at: ago(40 * n + 2), finished_at: ago(40 * n + 1),
}); // prettier-ignore

export const ids = { model: models[0].id, building: versions[0].id, ready: versions[1].id, failed: versions[2].id, succeeded: id(302), jobFailed: id(304), running: id(300) };

function answer(path, query, empty) {
  if (path === "/api/users/me") return user;
  if (path === "/api/users/refresh") return { access_token: "x", token_type: "bearer", expires_in: 900 };
  if (path === "/api/live/ticket") return { ticket: "t", expires_in: 30 };
  if (path === "/api/health") return { status: "ok", components: { api: "ok", postgres: "ok", nats: "ok", storage: "ok", builder: "ok", runner: "ok" } };
  if (path === "/api/users/me/sessions") return page([{ id: id(1), user_agent: "Mozilla/5.0 (X11; Linux) Firefox/140.0", address: "10.0.0.4", created_at: ago(9000), last_used_at: ago(20), expires_at: ago(-9000), current: true }, { id: id(2), user_agent: "Mozilla/5.0 (iPhone) Safari/604.1", address: "10.0.0.9", created_at: ago(99_000), last_used_at: ago(7400), expires_at: ago(-9000) }]);
  if (path === "/api/models/") return page(empty ? [] : models);
  if (path === "/api/jobs/") return page(empty ? [] : Array.from({ length: 64 }, (_, n) => job(n)).filter((each) => !query.get("status") || each.status === query.get("status")));
  if (path === "/api/admin/workers") return page([{ id: "runner-a", service: "runner", host: "gpu-1", state: "ready", slots: 4, busy: 2, heartbeat_at: ago(3) }, { id: "builder-a", service: "builder", host: "gpu-1", state: "ready", slots: 1, busy: 1, heartbeat_at: ago(2) }]);
  if (path.startsWith("/api/admin/")) return page(path.endsWith("queue") ? [{ subject: "job.submitted", waiting: 3, in_flight: 2, oldest_at: ago(12) }] : []);
  const [, , , noun, sub] = path.split("/");
  if (path.startsWith("/api/models/versions/")) return path.endsWith("/logs") ? log.join("\n") : versions.find((each) => each.id === sub);
  if (path.startsWith("/api/models/")) return sub ? page(empty ? [] : versions.filter((each) => each.model_id === noun)) : models.find((each) => each.id === noun);
  if (path.startsWith("/api/jobs/")) {
    const found = job(Number(noun.slice(-3)) - 300);
    if (sub === "logs") return "loaded weights in 0.14 s\n1 image, 3 findings\n";
    const outputs = [["annotated.png", "image/png", 201_000], ["mask.png", "image/png", 14_200], ["report.csv", "text/csv", 812]].map(([name, content_type, size]) => ({ name, url: `http://127.0.0.1:9/${name}`, size, content_type, sha256: sha("1") }));
    return sub === "outputs" ? { job_id: found.id, status: found.status, result: found.result, output_urls: outputs.map((each) => each.url), outputs } : found;
  }
  return undefined;
}

function picture(kind) {
  const spot = kind === "mask.png" ? "" : `<circle cx="205" cy="175" r="42" fill="#d8dde2"/><circle cx="460" cy="275" r="46" fill="#b9c2ca"/><circle cx="355" cy="85" r="18" fill="#8e99a4"/>`;
  const base = kind === "in.png" ? ["#30363d", "#0c0f12"] : ["#1d4b52", "#07191c"];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="640" height="480"><defs><radialGradient id="g"><stop offset="0" stop-color="${base[0]}"/><stop offset="1" stop-color="${base[1]}"/></radialGradient></defs><rect width="640" height="480" fill="${base[1]}"/><ellipse cx="210" cy="240" rx="150" ry="190" fill="url(#g)"/><ellipse cx="440" cy="240" rx="150" ry="190" fill="url(#g)"/>${spot}</svg>`;
}

/** Answer everything the page asks for in this browser context. */
export async function pretend(context, { empty = false, signedIn = true } = {}) {
  const pictures = new Map();
  const drawer = await context.newPage();
  for (const name of ["in.png", "annotated.png", "mask.png"]) {
    await drawer.setContent(picture(name));
    pictures.set(name, await drawer.locator("svg").screenshot());
  }
  await drawer.close();
  await context.route("**/api/**", (route) => {
    const url = new URL(route.request().url());
    const body = signedIn ? answer(url.pathname, url.searchParams, empty) : undefined;
    if (body === undefined) return route.fulfill({ status: signedIn ? 404 : 401, json: { title: "Not found", code: "NOT_FOUND", detail: "There is no such object." } });
    return typeof body === "string" ? route.fulfill({ body, contentType: "text/plain" }) : route.fulfill({ json: body });
  });
  await context.route("http://127.0.0.1:9/**", (route) => {
    if (route.request().url().endsWith(".csv")) return route.fulfill({ body: "x,y\n1,2\n", contentType: "text/csv", headers: { "access-control-allow-origin": "*" } });
    const body = pictures.get(new URL(route.request().url()).pathname.slice(1));
    return route.fulfill(body ? { body, contentType: "image/png", headers: { "access-control-allow-origin": "*" } } : { status: 404 });
  });
  await context.routeWebSocket("**/ws**", (socket) => {
    socket.send(JSON.stringify({ type: "ready", seq: 1 }));
    socket.onMessage((text) => {
      const { op, topic } = JSON.parse(String(text));
      if (op === "subscribe" && topic.startsWith("version:")) log.forEach((line, i) => socket.send(JSON.stringify({ type: "log", topic, seq: i + 1, line })));
    });
  });
  if (signedIn) await context.addInitScript(() => localStorage.setItem("clinai.session", "1"));
}

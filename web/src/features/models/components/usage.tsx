import type { Version } from "@/shared/api/types";
import { text } from "@/shared/text";
import { Code } from "@/shared/ui/code";

/** Snippets that work as they stand, for this very version. */
export function Usage({ version, username }: { version: Version | undefined; username: string }) {
  if (!version) return <p className="text-muted">{text.models.snippets.none}</p>;
  const origin = location.origin;
  const curl = `TOKEN=$(curl -s ${origin}/api/users/login \\
  -H 'Content-Type: application/json' \\
  -d '{"username":"${username}","password":"…"}' | python3 -c 'import json,sys; print(json.load(sys.stdin)["access_token"])')

curl ${origin}/api/models/versions/${version.id}/predict \\
  -H "Authorization: Bearer $TOKEN" \\
  -H 'Prefer: wait=30' \\
  -F file=@image.png`;
  const python = `import httpx

api = httpx.Client(base_url="${origin}", timeout=60)
token = api.post("/api/users/login", json={"username": "${username}", "password": "…"}).json()["access_token"]
api.headers["Authorization"] = f"Bearer {token}"

with open("image.png", "rb") as image:
    job = api.post(
        "/api/models/versions/${version.id}/predict",
        files={"file": image},
        headers={"Prefer": "wait=30"},
    ).raise_for_status().json()

print(job["status"], job["result"])
for output in job["outputs"]:
    with open(output["name"].replace("/", "_"), "wb") as file:
        file.write(httpx.get(output["url"]).content)`;
  const nats = `# Every end of a job, as it happens. The credentials come from the operator.
import asyncio, json, nats

async def main():
    bus = await nats.connect("nats://${location.hostname}:4222", user="…", password="…")
    jobs = await bus.jetstream().subscribe("job.succeeded.>", ordered_consumer=True)
    async for message in jobs.messages:
        job = json.loads(message.data)
        if job["version_id"] == "${version.id}":
            print(job["id"], job["result"])

asyncio.run(main())`;
  return (
    <div className="grid gap-5">
      <p className="text-muted">
        {text.models.snippets.version} <code>{version.version_number}</code>
      </p>
      <Code label="curl" code={curl} />
      <Code label="Python" code={python} />
      <Code label="NATS" code={nats} />
    </div>
  );
}

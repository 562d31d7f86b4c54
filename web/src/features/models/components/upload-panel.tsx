import { useQuery, useQueryClient } from "@tanstack/react-query";
import { CheckCircle2, FileArchive, TriangleAlert, Wand2, WifiOff } from "lucide-react";
import { type DragEvent, type FormEvent, useRef, useState } from "react";
import { usageQuery } from "@/shared/api/queries";
import type { Version } from "@/shared/api/types";
import { bytes, duration, percent } from "@/shared/lib/format";
import { checkZip, liftFolder, type ZipFault, type ZipReport } from "@/shared/lib/zip";
import { text } from "@/shared/text";
import { Button } from "@/shared/ui/button";
import { Input } from "@/shared/ui/field";
import { ErrorNote } from "@/shared/ui/misc";
import { begun, fingerprint } from "../upload";
import { stopUpload, type Upload, uploadAndBuild, useUpload } from "../uploads";

export function faultText(fault: ZipFault): string {
  const words = text.models.faults;
  switch (fault.kind) {
    case "encrypted":
      return words.encrypted(fault.name);
    case "nested":
      return words.nested(fault.folder.replace(/\/$/, ""));
    case "too-large":
      return words["too-large"](bytes(fault.size), bytes(fault.limit));
    case "too-many":
      return words["too-many"](fault.count, fault.limit);
    default:
      return words[fault.kind];
  }
}

/** 1.0.0 → 1.0.1, v3 → v4; the first is 1.0.0. */
export function nextNumber(taken: string[]): string {
  const [latest] = taken;
  if (!latest) return "1.0.0";
  let guess = latest;
  do guess = /\d+$/.test(guess) ? guess.replace(/\d+$/, (n) => String(Number(n) + 1)) : `${guess}.1`;
  while (taken.includes(guess));
  return guess;
}

interface Props {
  modelId: string;
  versions: Version[];
  onStarted: (versionId: string) => void;
}

export function UploadPanel({ modelId, versions, onStarted }: Props) {
  const client = useQueryClient();
  const upload = useUpload(modelId);
  const usage = useQuery(usageQuery).data;
  const picker = useRef<HTMLInputElement>(null);
  const [file, setFile] = useState<{ blob: Blob; name: string; fixed: boolean; print: string } | null>(null);
  const [report, setReport] = useState<ZipReport | null>(null);
  const [typed, setTyped] = useState<string | null>(null);
  const [over, setOver] = useState(false);
  const [cannotFix, setCannotFix] = useState(false);
  // an upload of this very package that a reload or a crash cut short goes on under its number
  const cut = file && versions.find((each) => each.status === "UPLOADING" && begun.of(each.id) === file.print);
  const number = typed ?? cut?.version_number ?? nextNumber(versions.map((each) => each.version_number));
  const replaced = versions.some((each) => each.status === "UPLOADING" && each.version_number === number && each.id !== cut?.id);
  const badNumber = /^[A-Za-z0-9._+-]{1,64}$/.test(number) ? null : text.models.versionNumberBad;
  const left = usage?.quota_bytes ? usage.quota_bytes - usage.package_bytes - usage.image_bytes : Infinity;

  const look = async (blob: Blob, name: string, fixed = false) => {
    setFile({ blob, name, fixed, print: await fingerprint(blob) });
    setReport(null);
    setCannotFix(false);
    setReport(await checkZip(blob));
  };
  const nested = report?.faults.find((fault) => fault.kind === "nested");
  const fix = async () => {
    if (!file || !report || nested?.kind !== "nested") return;
    try {
      await look(await liftFolder(file.blob, report.entries, nested.folder), file.name, true);
    } catch {
      setCannotFix(true);
    }
  };
  const send = async (blob: Blob, as: string) => {
    const versionId = await uploadAndBuild(client, modelId, as, blob);
    if (versionId) {
      setFile(null);
      setReport(null);
      setTyped(null);
      onStarted(versionId);
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (file && report && !badNumber) void send(file.blob, number);
  };
  const onDrop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    const dropped = event.dataTransfer.files[0];
    if (dropped) void look(dropped, dropped.name);
  };

  if (upload && upload.stage !== "failed") return <Sending upload={upload} onStop={() => void stopUpload(client, modelId)} />;
  return (
    <form onSubmit={submit} className="card grid gap-4 p-4">
      {upload?.stage === "failed" && (
        <ErrorNote title={text.models.uploadFailed} error={upload.error} retry={() => void send(upload.file, upload.number)} />
      )}
      <div
        role="group"
        aria-label={text.models.drop}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={onDrop}
        className={`grid justify-items-center gap-2 rounded border border-dashed p-6 text-center transition-colors ${over ? "border-accent bg-accent-soft" : "border-line-strong bg-surface"}`}
      >
        <FileArchive size={24} className="text-muted" aria-hidden />
        {file ? (
          <p className="max-w-full font-medium break-all">
            {file.name} <span className="font-normal text-muted tnum">{bytes(file.blob.size)}</span>
          </p>
        ) : (
          <p className="font-medium">{text.models.drop}</p>
        )}
        <p className="text-sm text-muted">{text.models.dropHint}</p>
        <Button size="sm" onClick={() => picker.current?.click()}>
          {file ? text.models.change : text.models.choose}
        </Button>
        <input
          ref={picker}
          type="file"
          accept=".zip,application/zip"
          aria-label={text.models.choose}
          tabIndex={-1}
          className="sr-only"
          onChange={(event) => {
            const picked = event.target.files?.[0];
            if (picked) void look(picked, picked.name);
            event.target.value = "";
          }}
        />
      </div>
      <div aria-live="polite" className="grid gap-2 empty:hidden">
        {file && !report && <p className="text-sm text-muted">{text.models.checking}</p>}
        {report && report.faults.length === 0 && (
          <p className="flex items-start gap-2 text-sm text-good">
            <CheckCircle2 size={16} className="mt-0.5 shrink-0" aria-hidden />
            <span>
              {file?.fixed && `${text.models.fixed} `}
              {text.models.checkedOk(report.entries.filter((entry) => !entry.directory).length, bytes(report.unpacked))}{" "}
              {text.models.requirements(report.requirements.length)}.
            </span>
          </p>
        )}
        {report?.faults.map((fault) => (
          <p key={fault.kind} className="flex items-start gap-2 text-sm text-bad">
            <TriangleAlert size={16} className="mt-0.5 shrink-0" aria-hidden />
            <span>{faultText(fault)}</span>
          </p>
        ))}
        {nested && !cannotFix && (
          <Button size="sm" className="justify-self-start" icon={<Wand2 size={14} aria-hidden />} onClick={() => void fix()}>
            {text.models.fixNested}
          </Button>
        )}
        {cannotFix && <p className="text-sm text-muted">{text.models.cannotFix}</p>}
        {cut && cut.version_number === number && <p className="text-sm text-muted">{text.models.goesOn}</p>}
        {file && file.blob.size > left && <p className="text-sm text-warn">{text.models.overQuota(bytes(Math.max(0, left)), bytes(usage?.quota_bytes))}</p>}
        {replaced && <p className="text-sm text-warn">{text.models.replaces(number)}</p>}
        {report?.dockerfile && <p className="text-sm text-muted">{text.models.dockerfile}</p>}
      </div>
      <div className="flex flex-wrap items-start gap-3">
        <div className="min-w-44 flex-1">
          <Input
            label={text.models.versionNumber}
            name="version_number"
            className="font-mono"
            value={number}
            hint={text.models.versionNumberHint}
            error={badNumber}
            onChange={(event) => setTyped(event.target.value)}
          />
        </div>
        <Button
          type="submit"
          kind={report?.faults.length ? "plain" : "primary"}
          className="mt-[1.6rem]"
          disabled={!file || !report || report.faults.some((fault) => fault.kind === "not-zip") || badNumber !== null}
        >
          {report?.faults.length ? text.models.uploadAnyway : text.models.uploadAndBuild}
        </Button>
      </div>
    </form>
  );
}

function Sending({ upload, onStop }: { upload: Upload; onStop: () => void }) {
  const { progress } = upload;
  const share = progress && progress.total ? progress.sent / progress.total : 0;
  return (
    <div className="card grid gap-3 p-4" role="status">
      <div className="flex items-center justify-between gap-3">
        <p className="font-medium">
          {upload.stage === "starting" ? text.models.starting : text.models.uploading} <code className="text-sm">{upload.number}</code>
        </p>
        <Button size="sm" onClick={onStop}>
          {text.models.stopUpload}
        </Button>
      </div>
      <div
        role="progressbar"
        aria-label={text.models.uploading}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(share * 100)}
        className="h-1.5 overflow-hidden rounded-full bg-sunken"
      >
        <div className="h-full origin-left bg-accent transition-transform duration-150" style={{ transform: `scaleX(${share})` }} />
      </div>
      <p className="flex flex-wrap justify-between gap-x-4 text-sm text-muted tnum">
        {upload.waiting ? (
          <span className="flex items-center gap-2 text-warn">
            <WifiOff size={14} aria-hidden />
            {text.models.waiting}
          </span>
        ) : (
          <>
            <span>
              {progress && text.models.progress(bytes(progress.sent), bytes(progress.total))} ({percent(share, 1)})
            </span>
            <span>
              {progress?.speed ? text.models.speed(bytes(progress.speed)) : " "}
              {progress?.secondsLeft ? ` · ${text.models.left(duration(progress.secondsLeft * 1000))}` : ""}
            </span>
          </>
        )}
      </p>
    </div>
  );
}

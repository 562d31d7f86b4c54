import { strToU8, unzipSync, zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { checkZip, liftFolder, readEntries } from "@/shared/lib/zip";

const RUN = "from PIL import Image\n\ndef run(input_path: str, output_dir: str) -> dict:\n    return {}\n";
const zip = (files: Record<string, string>) =>
  new Blob([zipSync(Object.fromEntries(Object.entries(files).map(([name, text]) => [name, strToU8(text)]))) as Uint8Array<ArrayBuffer>]);
const kinds = async (blob: Blob) => (await checkZip(blob)).faults.map((fault) => fault.kind);

describe("checkZip", () => {
  it("passes a good package and reads its requirements", async () => {
    const report = await checkZip(zip({ "predict.py": RUN, "requirements.txt": "Pillow==11.0  # images\n\n# nothing\nnumpy\n", Dockerfile: "FROM x" }));
    expect(report).toMatchObject({ faults: [], requirements: ["Pillow==11.0", "numpy"], dockerfile: true });
  });
  it("names what is wrong", async () => {
    expect(await kinds(new Blob(["no zip at all"]))).toEqual(["not-zip"]);
    expect(await kinds(zip({ "readme.md": "x" }))).toEqual(["no-predict"]);
    expect(await kinds(zip({ "predict.py": RUN }))).toEqual(["no-requirements"]);
    expect(await kinds(zip({ "predict.py": "def predict(): ...", "requirements.txt": "" }))).toEqual(["no-run"]);
  });
  it("does not trust a truncated file", async () => {
    const whole = zip({ "predict.py": RUN, "requirements.txt": "" });
    expect(await kinds(whole.slice(0, whole.size - 30))).toEqual(["not-zip"]);
    expect(await kinds(whole.slice(40))).toEqual(["not-zip"]);
  });
});

describe("liftFolder", () => {
  it("takes the files out of the folder and leaves their bytes alone", async () => {
    const nested = zip({ "model/predict.py": RUN, "model/requirements.txt": "numpy\n", "model/lib/a.py": "x = 1\n", "__MACOSX/model/._predict.py": "junk" });
    const report = await checkZip(nested);
    expect(report.faults).toEqual([{ kind: "nested", folder: "model/" }]);
    const lifted = await liftFolder(nested, report.entries, "model/");
    expect((await readEntries(lifted)).map((entry) => entry.name)).toEqual(["predict.py", "requirements.txt", "lib/a.py"]);
    expect(await kinds(lifted)).toEqual([]);
    const files = unzipSync(new Uint8Array(await lifted.arrayBuffer()));
    expect(new TextDecoder().decode(files["predict.py"])).toBe(RUN);
    expect(new TextDecoder().decode(files["lib/a.py"])).toBe("x = 1\n");
  });
});

/** A bundled photo, so that a model can be tried without hunting for one. */
const samples = import.meta.glob<string>("../../../../example-model/*.{png,jpg,jpeg,webp}", { query: "?url", import: "default", eager: true });

/** Its address, where the package has one. */
export const sampleUrl: string | undefined = Object.values(samples)[0];

/** The example's sample image, or a drawn one where the package has none. */
export async function sampleImage(): Promise<File> {
  const [found] = Object.entries(samples);
  if (found) {
    const [path, url] = found;
    const blob = await (await fetch(url)).blob();
    return new File([blob], path.split("/").pop() ?? "sample.png", { type: blob.type });
  }
  return drawn();
}

async function drawn(): Promise<File> {
  const canvas = document.createElement("canvas");
  canvas.width = 640;
  canvas.height = 480;
  const context = canvas.getContext("2d");
  if (context) {
    const sky = context.createLinearGradient(0, 0, 0, 480);
    sky.addColorStop(0, "#f4a259");
    sky.addColorStop(0.55, "#f25f5c");
    sky.addColorStop(1, "#1d3557");
    context.fillStyle = sky;
    context.fillRect(0, 0, 640, 480);
    context.fillStyle = "#ffe8b0";
    context.beginPath();
    context.arc(430, 210, 62, 0, 7);
    context.fill();
    const hills: [string, number, number][] = [["#2a9d8f", 300, 60], ["#21706b", 350, 48], ["#12434a", 405, 34]];
    for (const [colour, base, height] of hills) {
      context.fillStyle = colour;
      context.beginPath();
      context.moveTo(0, 480);
      for (let x = 0; x <= 640; x += 4) context.lineTo(x, base - height * Math.sin(x / 90 + base) - height * 0.4 * Math.sin(x / 31));
      context.lineTo(640, 480);
      context.fill();
    }
  }
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/png"));
  return new File([blob ?? new Blob()], "sample.png", { type: "image/png" });
}

import { Link } from "@tanstack/react-router";
import { Boxes, CloudUpload, Images } from "lucide-react";
import { useSyncExternalStore } from "react";
import { sampleUrl } from "@/features/run/sample";
import { session } from "@/shared/api/session";
import { useTitle } from "@/shared/lib/title";
import { text } from "@/shared/text";
import { buttonClass } from "@/shared/ui/button";

const ICONS = [Boxes, CloudUpload, Images];

const SAMPLE = `def run(input_path: str, output_dir: str) -> dict:
    image = Image.open(input_path)
    image.convert("L").save(f"{output_dir}/gray.png")
    return {"width": image.width, "height": image.height}`;

/** What these lines do to the sample image, as the viewer shows it. */
function BeforeAfter({ url }: { url: string }) {
  const chip = "absolute top-3 rounded bg-black/75 px-2 py-0.5 text-xs font-medium text-white";
  return (
    <div role="img" aria-label={text.auth.pictureTitle} className="relative aspect-[16/10] border-t border-white/10">
      <img src={url} alt="" width={512} height={512} className="absolute inset-0 size-full object-cover object-[50%_18%]" />
      <img src={url} alt="" width={512} height={512} className="absolute inset-0 size-full object-cover object-[50%_18%] grayscale [clip-path:inset(0_0_0_50%)]" />
      <span aria-hidden className="absolute inset-y-0 left-1/2 w-0.5 -translate-x-1/2 bg-white" />
      <span aria-hidden className={`${chip} left-3`}>
        {text.run.viewer.input}
      </span>
      <span aria-hidden className={`${chip} right-3`}>
        gray.png
      </span>
    </div>
  );
}

export function LandingPage() {
  const state = useSyncExternalStore(session.subscribe, () => session.state);
  const signedIn = state === "in";
  useTitle(null);
  return (
    <div className="mx-auto max-w-[1100px] px-5 md:px-8">
      <header className="flex items-center justify-between py-5">
        <span className="flex items-center gap-2.5 text-lg font-semibold">
          <img src="/favicon.svg" alt="" width={28} height={28} />
          {text.common.product}
        </span>
        {signedIn ? (
          <Link to="/dashboard" className={buttonClass("plain")}>
            {text.auth.toDashboard}
          </Link>
        ) : (
          <Link to="/login" className={buttonClass("ghost")}>
            {text.auth.login}
          </Link>
        )}
      </header>
      <main>
        <div className="grid items-center gap-10 py-12 md:py-16 lg:grid-cols-[1.05fr_1fr] lg:py-20">
          <div className="grid gap-6">
            <h1 className="text-[2rem] leading-[1.15] tracking-tight text-balance md:text-[2.75rem]">{text.auth.tagline}</h1>
            <p className="max-w-xl text-lg text-muted">{text.auth.pitch}</p>
            <div className="flex flex-wrap gap-3">
              {signedIn ? (
                <Link to="/dashboard" className={buttonClass("primary")}>
                  {text.auth.toDashboard}
                </Link>
              ) : (
                <>
                  <Link to="/register" className={buttonClass("primary")}>
                    {text.auth.register}
                  </Link>
                  <Link to="/login" className={buttonClass("plain")}>
                    {text.auth.login}
                  </Link>
                </>
              )}
            </div>
          </div>
          <div className="min-w-0 overflow-hidden rounded border border-line bg-code text-code-text">
            <figure>
              <figcaption className="border-b border-white/10 px-4 py-2 font-mono text-xs text-code-muted">predict.py</figcaption>
              {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scroll area must be reachable by keyboard */}
              <pre tabIndex={0} aria-label={text.auth.codeTitle} className="overflow-x-auto p-4 text-sm leading-relaxed">
                {SAMPLE}
              </pre>
            </figure>
            {sampleUrl && <BeforeAfter url={sampleUrl} />}
          </div>
        </div>
        <ol className="grid gap-8 border-t border-line py-12 md:grid-cols-3">
          {text.auth.steps.map(([title, line], i) => {
            const Icon = ICONS[i] ?? Boxes;
            return (
              <li key={title} className="grid content-start gap-2">
                <Icon size={22} className="text-accent" aria-hidden />
                <h2 className="text-lg">
                  <span className="mr-2 text-muted tnum">{i + 1}</span>
                  {title}
                </h2>
                <p className="text-muted">{line}</p>
              </li>
            );
          })}
        </ol>
      </main>
    </div>
  );
}

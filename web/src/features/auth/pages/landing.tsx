import { Link } from "@tanstack/react-router";
import { Boxes, CloudUpload, Images } from "lucide-react";
import { useSyncExternalStore } from "react";
import { session } from "@/shared/api/session";
import { useTitle } from "@/shared/lib/title";
import { text } from "@/shared/text";
import { buttonClass } from "@/shared/ui/button";

const ICONS = [Boxes, CloudUpload, Images];

const SAMPLE = `def run(input_path: str, output_dir: str) -> dict:
    image = Image.open(input_path)
    image.convert("L").save(f"{output_dir}/gray.png")
    return {"width": image.width, "height": image.height}`;

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
        <div className="grid items-center gap-10 py-12 md:grid-cols-[1.05fr_1fr] md:py-24">
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
          <figure className="overflow-hidden rounded border border-line bg-code text-code-text">
            <figcaption className="border-b border-white/10 px-4 py-2 font-mono text-xs text-code-muted">predict.py</figcaption>
            {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scroll area must be reachable by keyboard */}
            <pre tabIndex={0} aria-label={text.auth.codeTitle} className="overflow-x-auto p-4 text-sm leading-relaxed">
              {SAMPLE}
            </pre>
          </figure>
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

import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useTitle } from "@/shared/lib/title";
import { text } from "@/shared/text";

export function AuthCard({ title, children, foot }: { title: string; children: ReactNode; foot: ReactNode }) {
  useTitle(title);
  return (
    <main className="grid min-h-dvh place-items-center px-4 py-10">
      <div className="grid w-full max-w-sm gap-5">
        <Link to="/" className="flex items-center gap-2.5 justify-self-center rounded px-2 py-1 text-lg font-semibold">
          <img src="/favicon.svg" alt="" width={28} height={28} />
          {text.common.product}
        </Link>
        <div className="card grid gap-5 p-6">
          <h1>{title}</h1>
          {children}
        </div>
        <p className="text-center text-sm text-muted">{foot}</p>
      </div>
    </main>
  );
}
